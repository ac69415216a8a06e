// The order of local changes: what others need comes first, what drops data comes last and one by one.
import type { Apply } from './plan-types.js';

const RANKS: Readonly<Record<string, number>> = {
  'create database': 0,
  'create policy': 1,
  'alter policy': 1,
  'alter database': 2,
  'drop continuous-query': 3,
  'drop subscription': 3,
  'alter continuous-query': 4,
  'alter subscription': 4,
  'create continuous-query': 4,
  'create subscription': 4,
  'create user': 5,
  'alter user': 5,
  'drop user': 5,
  'drop privilege': 6,
  'alter privilege': 7,
  'create privilege': 7,
  'drop policy': 8,
  'drop database': 9,
};

export function orderApplies(applies: readonly Apply[]): Apply[] {
  return applies
    .map((apply, index) => ({ apply, index, rank: rankOf(apply) }))
    .sort((a, b) => a.rank - b.rank || a.index - b.index)
    .map(({ apply }) => apply);
}

/** True for statements that delete points when they drop. */
export function dropsData(apply: Apply): boolean {
  const { kind } = objectOf(apply);
  return apply.kind === 'drop' && (kind === 'database' || kind === 'policy');
}

function rankOf(apply: Apply): number {
  return RANKS[`${apply.kind} ${objectOf(apply).kind}`] ?? Object.keys(RANKS).length;
}

function objectOf(apply: Apply) {
  return apply.kind === 'drop' ? apply.before : apply.target;
}
