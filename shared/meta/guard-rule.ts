// The guard's rule, for manager and agent alike: which changes lose points, and how many of them pass without a person.
// Pure; who counts what for how long, and what counts as proven, is decided by its callers.
import { createHash } from 'node:crypto';
import { describeKey, formatDuration } from './diff.js';
import type { ObjectKey, Schema, SchemaObject } from './model.js';
import { keyOf, nameOf } from './model.js';

/** Passed drops count for so long. */
export const GUARD_WINDOW_MS = 3_600_000;

/** A change that makes influxd throw points away. */
export interface UnprovenChange {
  /** A database or a retention policy. */
  readonly key: ObjectKey;
  readonly change: 'drop' | 'shorten';
  /** The new duration in nanoseconds, where one is shortened: approving 72h does not approve 1h. */
  readonly toNs?: bigint;
}

/** How many databases and policies; each kind is measured against all of its own kind. */
export interface GuardCounts {
  readonly databases: number;
  readonly policies: number;
}

export const NO_COUNTS: GuardCounts = { databases: 0, policies: 0 };

export interface GuardQuestion {
  /** Unproven changes that were let through within the last hour, without a person. */
  readonly passed: GuardCounts;
  /** Those that are asked about now. */
  readonly now: GuardCounts;
  /** All that there were before the first of `passed`, or, where nothing has passed, before `now`. */
  readonly of: GuardCounts;
  /** `guard.max-drops`; 0: every one is held. */
  readonly maxDrops: number;
}

/**
 * What of `after` loses points that `before` keeps, in the order of keys: dropped databases, dropped policies, shortened
 * durations (0, for ever, is the longest). A policy counts only where its database stays.
 */
export function unprovenChanges(before: Schema, after: Schema): UnprovenChange[] {
  const changes: UnprovenChange[] = [];
  for (const [key, object] of before) {
    const change = lossOf(key, object, after);
    if (change !== undefined) changes.push(change);
  }
  return changes.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function lossOf(key: ObjectKey, object: SchemaObject, after: Schema): UnprovenChange | undefined {
  if (object.kind === 'database') return after.has(key) ? undefined : { key, change: 'drop' };
  if (object.kind !== 'policy') return undefined;
  if (!after.has(keyOf({ kind: 'database', path: [object.path[0]] }))) return undefined;
  const now = after.get(key);
  if (now?.kind !== 'policy') return { key, change: 'drop' };
  const toNs = now.value.durationNs;
  return isShorter(toNs, object.value.durationNs) ? { key, change: 'shorten', toNs } : undefined;
}

/** Whether duration `a` keeps points for a shorter time than `b`; 0 is for ever. */
export function isShorter(a: bigint, b: bigint): boolean {
  return a !== 0n && (b === 0n || a < b);
}

/** How many databases and policies a list of changes names; a policy that is dropped or shortened counts once. */
export function countChanges(changes: readonly Pick<UnprovenChange, 'key'>[]): GuardCounts {
  return countKinds(changes.map(({ key }) => nameOf(key).kind));
}

/** All databases and policies of a schema. */
export function countAll(schema: Schema): GuardCounts {
  return countKinds([...schema.values()].map(({ kind }) => kind));
}

function countKinds(kinds: readonly string[]): GuardCounts {
  return {
    databases: kinds.filter((kind) => kind === 'database').length,
    policies: kinds.filter((kind) => kind === 'policy').length,
  };
}

export function addCounts(a: GuardCounts, b: GuardCounts): GuardCounts {
  return { databases: a.databases + b.databases, policies: a.policies + b.policies };
}

/**
 * `hold`: within the hour there would be more than `maxDrops` of them, or at least 2 and at least half of all databases, or
 * of all policies. By kind, because every database has a policy: two of four databases would else be two of eight.
 * Nothing now is never held.
 */
export function guardVerdict({ passed, now, of, maxDrops }: GuardQuestion): 'pass' | 'hold' {
  if (now.databases + now.policies === 0) return 'pass';
  const sum = addCounts(passed, now);
  const isHalf = (['databases', 'policies'] as const).some(
    (kind) => now[kind] > 0 && sum[kind] >= 2 && sum[kind] * 2 >= of[kind],
  );
  return isHalf || sum.databases + sum.policies > maxDrops ? 'hold' : 'pass';
}

/** Unproven changes that were let through without a person. */
export interface PassedDrops {
  readonly atMs: number;
  readonly counts: GuardCounts;
  /** All that there were before them. */
  readonly of: GuardCounts;
}

/** What of `passed` still counts: an hour by the clock, in both directions, because clocks are set. */
export function withinWindow(passed: readonly PassedDrops[], nowMs: number): PassedDrops[] {
  return passed.filter(({ atMs }) => Math.abs(nowMs - atMs) < GUARD_WINDOW_MS);
}

/** The question about `now`, after what passed within the window (see `withinWindow`). */
export function guardQuestion(
  passed: readonly PassedDrops[],
  { now, of, maxDrops }: Omit<GuardQuestion, 'passed'>,
): GuardQuestion {
  const most = (kind: keyof GuardCounts) =>
    Math.max(of[kind], ...passed.map((each) => each.of[kind]));
  return {
    passed: passed.reduce((sum, { counts }) => addCounts(sum, counts), NO_COUNTS),
    now,
    of: { databases: most('databases'), policies: most('policies') },
    maxDrops,
  };
}

/** What names a list of held things. */
export interface DigestedItem {
  readonly key: string;
  readonly change: string;
  readonly toNs?: bigint;
}

/** A short name for exactly this list, whatever its order: the first 16 digits of a SHA-256. */
export function heldDigest(items: readonly DigestedItem[]): string {
  const lines = items
    .map(({ key, change, toNs }) => JSON.stringify([key, change, toNs?.toString() ?? null]))
    .sort();
  return createHash('sha256').update(JSON.stringify(lines)).digest('hex').slice(0, 16);
}

/** A change for people, with what it costs, e.g. `retention policy telegraf.week: shortened to 72h, older points go`. */
export function describeLoss({ key, change, toNs }: UnprovenChange): string {
  const what =
    change === 'drop'
      ? 'dropped with all its points'
      : `shortened to ${formatDuration(toNs ?? 0n)}, older points go`;
  return `${describeKey(key)}: ${what}`;
}
