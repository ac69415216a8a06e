// Random choices from a seed, so that a run can be repeated: SEED=1234 npx mocha test/fault/kill-agent.test.ts

export interface Random {
  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number;
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  /** Throws for an empty list. */
  pick<T>(list: readonly T[]): T;
  /** Another one, whose choices do not depend on how many are made here. */
  fork(name: string): Random;
}

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  // mulberry32: 32 bits of state are enough to repeat a run, and it is nine lines.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    below,
    between: (low, high) => low + below(high - low + 1),
    chance: (probability) => next() < probability,
    pick: (list) => {
      if (list.length === 0) throw new Error('there is nothing to pick from');
      return list[below(list.length)]!;
    },
    fork: (name) => seededRandom(hashOf(name, seed)),
  };
}

/** SEED of the environment, else a new one; printed once by who uses it. */
export function seedOfThisRun(): number {
  const given = process.env['SEED'];
  return given === undefined || given === '' ? Date.now() % 1_000_000_000 : Number(given);
}

function hashOf(text: string, seed: number): number {
  let hash = seed ^ 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}
