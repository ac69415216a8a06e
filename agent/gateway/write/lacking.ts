// Which owners lack points that others have, after a write: they must not answer reads until they are made whole. Pure.
import type { Placement } from '../../../shared/placement/model.js';
import type { FanOutResult } from './fan-out.js';
import type { OwnerResult } from './level-wait.js';
import { isDone } from './level-wait.js';

export interface Lacking {
  readonly node: number;
  /** Ids in the placement. */
  readonly groups: readonly number[];
  /** One sentence. */
  readonly why: string;
}

type Result = Pick<FanOutResult, 'owners' | 'isLevelReached'> & { readonly group: number };

/** Owners that neither took a batch nor have a hint for it, where the write is acknowledged without them. */
export function lostOwners(results: readonly Result[], placement: Placement): Lacking[] {
  // Below the level the write fails, and is sent again or counts for nothing.
  if (results.some(({ isLevelReached }) => !isLevelReached)) return [];
  return gathered(results, placement, ({ owners }) =>
    owners.flatMap(({ node, state }) =>
      // With a fault of its own it has a hint, and the write fails.
      state.kind === 'lost' && state.fault === undefined
        ? [{ node, why: `a hint for it could not be kept: ${state.why}` }]
        : [],
    ),
  );
}

/**
 * Owners that refused lines which another owner took. Where all refuse the same number they agree; what is beyond the
 * retention policy by one clock and not by another goes away by itself.
 */
export function divergedOwners(results: readonly Result[], placement: Placement): Lacking[] {
  return gathered(results, placement, ({ owners }) => {
    const counts = owners.filter(({ state }) => isDone(state)).map(droppedAt);
    const least = Math.min(...counts);
    return owners.flatMap(({ node, state }) =>
      state.kind === 'refused' && state.dropped > least && !isBeyond(state.text)
        ? [{ node, why: `it refused points that another owner took: ${state.text}` }]
        : [],
    );
  });
}

function droppedAt({ state }: OwnerResult): number {
  return state.kind === 'refused' ? state.dropped : 0;
}

function isBeyond(text: string): boolean {
  return text.includes('beyond retention policy') || text.includes('outside retention policy');
}

/** One entry per node; without those that are recorded already. */
function gathered(
  results: readonly Result[],
  placement: Placement,
  pick: (result: Result) => { readonly node: number; readonly why: string }[],
): Lacking[] {
  const byNode = new Map<number, { groups: Set<number>; why: string }>();
  for (const result of results) {
    for (const { node, why } of pick(result)) {
      if (isRecorded(placement, result.group, node)) continue;
      const known = byNode.get(node) ?? { groups: new Set<number>(), why };
      known.groups.add(result.group);
      byNode.set(node, known);
    }
  }
  return [...byNode].map(([node, { groups, why }]) => ({ node, groups: [...groups], why }));
}

function isRecorded(placement: Placement, group: number, node: number): boolean {
  const owners = placement.groups
    .find(({ id }) => id === group)
    ?.shards.flatMap((shard) => shard.owners);
  return owners?.find((owner) => owner.node === node)?.incomplete !== undefined;
}
