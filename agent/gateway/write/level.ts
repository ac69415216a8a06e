// Consistency levels: how many owners of a shard must have applied a batch before the write is acknowledged. Pure.

export const LEVELS = ['any', 'one', 'quorum', 'all'] as const;
export type Level = (typeof LEVELS)[number];

/** What a write gets that asks for none. */
export const DEFAULT_LEVEL: Level = 'one';

/** Any spelling in upper and lower case, as influxd; undefined for another word. */
export function parseLevel(text: string | null): Level | undefined {
  if (text === null || text === '') return DEFAULT_LEVEL;
  const lower = text.toLowerCase();
  return LEVELS.find((level) => level === lower);
}

/** How the owners of one shard have a batch. */
export interface Tally {
  readonly owners: number;
  readonly applied: number;
  /** Have it as a hint that is on disk here, and not applied. */
  readonly hinted: number;
}

/** Of so many owners, how many must have applied it; for `any` a hint counts too. */
export function neededOwners(level: Level, owners: number): number {
  if (level === 'all') return owners;
  return level === 'quorum' ? Math.floor(owners / 2) + 1 : 1;
}

export function isReached(level: Level, { owners, applied, hinted }: Tally): boolean {
  const counted = level === 'any' ? applied + hinted : applied;
  return counted >= neededOwners(level, owners);
}
