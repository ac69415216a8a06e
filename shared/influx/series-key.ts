// The name of a series as influxd builds it, and the shard of a group that it belongs to: FNV-1a-64 over exactly these bytes.
// Nothing is unescaped: two spellings of one series are two names, as in influxd.
import { tagStarts, tagKeyEnd } from './scan/tags.js';

/** An unsigned 64-bit number: each half is an unsigned 32-bit one. */
export interface Hash64 {
  readonly hi: number;
  readonly lo: number;
}

const OFFSET_HI = 0xcbf29ce4 | 0;
const OFFSET_LO = 0x84222325;
/** The prime is 2^40 + this. */
const PRIME_LOW = 0x1b3;
const TWO_TO_32 = 2 ** 32;

/** FNV-1a, 64 bits, of bytes[start, end). In 32-bit integers throughout: it runs over every byte of every key. */
export function fnv1a64(bytes: Uint8Array, start = 0, end = bytes.length): Hash64 {
  let high = OFFSET_HI;
  // The low half in two pieces of 16 bits, whose products leave room for a carry.
  let middle = OFFSET_LO >>> 16;
  let low = OFFSET_LO & 0xffff;
  for (let at = start; at < end; at += 1) {
    low ^= bytes[at] as number;
    const lowProduct = Math.imul(low, PRIME_LOW);
    const middleProduct = Math.imul(middle, PRIME_LOW) + (lowProduct >>> 16);
    // The prime's 2^40 is a shift by 8 in the high half.
    const shifted = (middle << 24) | (low << 8);
    high = (Math.imul(high, PRIME_LOW) + (middleProduct >>> 16) + shifted) | 0;
    middle = middleProduct & 0xffff;
    low = lowProduct & 0xffff;
  }
  return { hi: high >>> 0, lo: ((middle << 16) | low) >>> 0 };
}

/** The hash modulo the number of shards (below 2^20), as an unsigned 64-bit number. */
export function shardIndex(hash: Hash64, shards: number): number {
  return ((hash.hi % shards) * (TWO_TO_32 % shards) + (hash.lo % shards)) % shards;
}

/**
 * The name of the series of a line, whose part up to the first unescaped space is `key`: measurement and tags, sorted by the raw
 * bytes of the tags' keys where they are not. The same bytes where they are sorted.
 */
export function seriesKey(key: Buffer): Buffer {
  const starts = tagStarts(key, 0, key.length);
  const tags = starts.map((start, index) => {
    const end = (starts[index + 1] ?? key.length + 1) - 1;
    return { key: key.subarray(start, tagKeyEnd(key, start, end)), tag: key.subarray(start, end) };
  });
  // Stable, and no two keys are equal in a line that influxd takes.
  const sorted = [...tags].sort((a, b) => Buffer.compare(a.key, b.key));
  if (sorted.every((tag, index) => tag === tags[index])) return key;
  const measurement = key.subarray(0, (starts[0] as number) - 1);
  return Buffer.concat([measurement, ...sorted.flatMap(({ tag }) => [SEPARATOR, tag])]);
}

const SEPARATOR = Buffer.from(',');
