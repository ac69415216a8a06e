// What a placement means and what it may look like: until when a group takes points, which groups a read touches, when a
// group is void, and which placements are refused. Pure.
import { keyOf } from '../meta/model.js';
import type { Marks } from '../meta/marks.js';
import type { PlacedGroup, Placement } from './model.js';

/** Until when (exclusive) it takes points. A cut shortens it from the moment on that all members have confirmed it. */
export function endOf({ endNs, cut }: PlacedGroup): bigint {
  return cut?.counts === true && cut.atNs < endNs ? cut.atNs : endNs;
}

/** Takes new points at all. */
export function isWritable({ isAdopted }: PlacedGroup): boolean {
  return isAdopted !== true;
}

/** Whether points of that time are written to it. */
export function takes(group: PlacedGroup, timeNs: bigint): boolean {
  return isWritable(group) && group.startNs <= timeNs && timeNs < endOf(group);
}

/**
 * Whether it may hold points of [fromNs, toNs). By its whole range: points after a cut may have been written before it was
 * announced.
 */
export function overlaps(
  group: Pick<PlacedGroup, 'startNs' | 'endNs'>,
  fromNs: bigint,
  toNs: bigint,
): boolean {
  return group.startNs < toNs && fromNs < group.endNs;
}

/** Its database or policy is gone, or another one bears the name now: it holds nothing that anybody may read. */
export function isVoid(group: PlacedGroup, marks: Pick<Marks, 'marks'>): boolean {
  const { database, policy, databaseMark, policyMark } = group;
  return (
    marks.marks.get(keyOf({ kind: 'database', path: [database] })) !== databaseMark ||
    marks.marks.get(keyOf({ kind: 'policy', path: [database, policy] })) !== policyMark
  );
}

/** So many faults are named; one is enough to refuse it. */
const MAX_FAULTS = 10;

/** Why this placement can't be: sentences, empty where nothing is wrong with it. */
export function validatePlacement({ groups }: Pick<Placement, 'groups'>): string[] {
  const faults = [...shapeFaults(groups), ...overlapFaults(groups)];
  return faults.slice(0, MAX_FAULTS);
}

function shapeFaults(groups: readonly PlacedGroup[]): string[] {
  const faults: string[] = [];
  const groupIds = new Set<number>();
  const shardIds = new Set<number>();
  for (const group of groups) {
    const { id, shards, startNs, endNs } = group;
    if (groupIds.has(id)) faults.push(`the group id ${id} is used twice`);
    groupIds.add(id);
    if (startNs >= endNs) faults.push(`group ${id} ends where it begins or before`);
    if (shards.length === 0) faults.push(`group ${id} has no shard`);
    const nodes = new Set<number>();
    for (const shard of shards) {
      if (shardIds.has(shard.id)) faults.push(`the shard id ${shard.id} is used twice`);
      shardIds.add(shard.id);
      if (shard.owners.length === 0) faults.push(`shard ${shard.id} of group ${id} has no owner`);
      for (const { node } of shard.owners) {
        if (nodes.has(node)) faults.push(`node ${node} owns more than one copy in group ${id}`);
        nodes.add(node);
      }
    }
  }
  return faults;
}

function overlapFaults(groups: readonly PlacedGroup[]): string[] {
  const faults: string[] = [];
  for (const [policy, ofPolicy] of writableByPolicy(groups)) {
    const sorted = [...ofPolicy].sort((a, b) => compare(a.startNs, b.startNs));
    for (const [index, group] of sorted.entries()) {
      const next = sorted[index + 1];
      if (next === undefined || endOf(group) <= next.startNs) continue;
      faults.push(`the groups ${group.id} and ${next.id} of ${policy} overlap`);
    }
  }
  return faults;
}

/** Groups that a cut left nothing of take no points, so they are in nobody's way. */
function writableByPolicy(groups: readonly PlacedGroup[]): Map<string, PlacedGroup[]> {
  const byPolicy = new Map<string, PlacedGroup[]>();
  for (const group of groups) {
    if (!isWritable(group) || endOf(group) <= group.startNs) continue;
    const { database, policy, databaseMark, policyMark } = group;
    const key = JSON.stringify([database, policy, databaseMark, policyMark]);
    const list = byPolicy.get(key);
    if (list === undefined) byPolicy.set(key, [group]);
    else list.push(group);
  }
  return byPolicy;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}
