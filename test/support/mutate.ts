// Damages bytes at random, the way disks, copies and broken programs do, and in ways that a reader of protobuf may trip over.
// The same seed gives the same bytes again.

/** Numbers in [0, 1) from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Random = () => number;
type Mutation = (good: Buffer, random: Random, others: readonly Buffer[]) => Buffer;

const below = (random: Random, limit: number) => Math.floor(random() * limit);

/** A varint of 64 bits, one that is longer than any may be, and a length of 4 GiB. */
const VARINTS = ['ffffffffffffffffff01', 'ffffffffffffffffffffffff01', 'ffffffff0f'].map((hex) =>
  Buffer.from(hex, 'hex'),
);

/** Opens a group of an unknown field, and closes it. */
const GROUP_OPEN = 0x7b;
const GROUP_CLOSE = 0x7c;
const DEEPEST = 20_000;

function insert(good: Buffer, at: number, bytes: Buffer): Buffer {
  return Buffer.concat([good.subarray(0, at), bytes, good.subarray(at)]);
}

function changed(good: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(good);
  change(copy);
  return copy;
}

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'bits flipped': (good, random) =>
    changed(good, (copy) => {
      for (let left = 1 + below(random, 4); left > 0; left -= 1) {
        const at = below(random, copy.length);
        copy[at] = (copy[at] ?? 0) ^ (1 << below(random, 8));
      }
    }),
  'bytes replaced': (good, random) =>
    changed(good, (copy) => {
      for (let left = 1 + below(random, 4); left > 0; left -= 1) {
        copy[below(random, copy.length)] = below(random, 256);
      }
    }),
  'cut off': (good, random) => good.subarray(0, below(random, good.length)),
  'a range zeroed': (good, random) =>
    changed(good, (copy) => {
      const at = below(random, copy.length);
      copy.fill(0, at, Math.min(copy.length, at + 1 + below(random, 64)));
    }),
  'a range missing': (good, random) => {
    const at = below(random, good.length);
    return Buffer.concat([good.subarray(0, at), good.subarray(at + 1 + below(random, 32))]);
  },
  'a range twice': (good, random) => {
    const at = below(random, good.length);
    return insert(good, at, good.subarray(at, at + 1 + below(random, 128)));
  },
  'spliced with another': (good, random, others) => {
    const other = others[below(random, others.length)] ?? good;
    return Buffer.concat([
      good.subarray(0, below(random, good.length)),
      other.subarray(below(random, other.length)),
    ]);
  },
  'followed by another': (good, random, others) =>
    Buffer.concat([good, others[below(random, others.length)] ?? good]),
  'a huge varint': (good, random) =>
    insert(good, below(random, good.length), VARINTS[below(random, VARINTS.length)] ?? good),
  'deeply nested': (good, random) => {
    const depth = 1 + below(random, random() < 0.05 ? DEEPEST : 200);
    const close = random() < 0.5 ? depth : below(random, depth);
    const groups = Buffer.concat([
      Buffer.alloc(depth, GROUP_OPEN),
      Buffer.alloc(close, GROUP_CLOSE),
    ]);
    return insert(good, random() < 0.5 ? good.length : below(random, good.length), groups);
  },
};

const NAMES = Object.keys(MUTATIONS);

/** One damaged file: of a seed picked by `random`, in a way picked by it. */
export function mutated(
  seeds: readonly Buffer[],
  random: Random,
): { readonly what: string; readonly bytes: Buffer } {
  const what = NAMES[below(random, NAMES.length)] ?? '';
  const good = seeds[below(random, seeds.length)] ?? Buffer.alloc(0);
  return { what, bytes: MUTATIONS[what]?.(good, random, seeds) ?? good };
}
