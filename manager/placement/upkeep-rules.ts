// What becomes of groups with time, as pure steps from one state to the next: the same state where nothing is to be done.
import type { Marks } from '../../shared/meta/marks.js';
import { keyOf } from '../../shared/meta/model.js';
import { isOfPolicy, replicasFor, type PolicyFacts } from '../../shared/placement/groups.js';
import type { PlacedGroup } from '../../shared/placement/model.js';
import { endOf, isVoid, isWritable, takes } from '../../shared/placement/rules.js';
import { cutGroups } from './cuts.js';
import { addGroup, isTaken } from './group-maker.js';
import { mapGroups, type PlacementState } from './state.js';

const DAY_MS = 86_400_000;
const DAY_NS = BigInt(DAY_MS) * 1_000_000n;

/** As long as InfluxDB itself keeps a deleted group listed. */
const EXPIRED_KEPT_NS = 14n * DAY_NS;

/** Longer than hints are kept by default (handoff.max-age): until then a batch that names the group may come. */
const VOID_KEPT_MS = 8 * DAY_MS;

/** Groups whose points have all expired two weeks ago go. */
export function withoutExpired(
  state: PlacementState,
  policies: readonly PolicyFacts[],
  nowNs: bigint,
): PlacementState {
  const policyOf = finder(policies);
  return mapGroups(state, (group) => {
    const policy = policyOf(group);
    if (policy === undefined || policy.durationNs === 0n) return group;
    return group.endNs + policy.durationNs + EXPIRED_KEPT_NS < nowNs ? undefined : group;
  });
}

/** Groups of what was dropped go once no hint can name them any more: by the age of the tombstone, or when that is gone. */
export function withoutVoid(state: PlacementState, marks: Marks, nowMs: number): PlacementState {
  return mapGroups(state, (group) => {
    if (!isVoid(group, marks)) return group;
    const { database, policy, databaseMark, policyMark } = group;
    const names = new Map<string, number>([
      [keyOf({ kind: 'database', path: [database] }), databaseMark],
      [keyOf({ kind: 'policy', path: [database, policy] }), policyMark],
    ]);
    const isYoung = marks.tombstones.some(
      ({ key, mark, at }) => names.get(key) === mark && nowMs - Date.parse(at) < VOID_KEPT_MS,
    );
    return isYoung ? group : undefined;
  });
}

/** For each policy whose current group is half over, the next one, where there is none. */
export function withNext(
  state: PlacementState,
  policies: readonly PolicyFacts[],
  nowNs: bigint,
  minReplication: number,
): PlacementState {
  if (!state.begun || state.members.length === 0) return state;
  let next = state;
  for (const policy of policies) {
    const current = (next.databases.get(policy.database) ?? []).find(
      (group) => isOfPolicy(group, policy) && takes(group, nowNs),
    );
    if (current === undefined) continue;
    const end = endOf(current);
    if (nowNs < (current.startNs + end) / 2n || isTaken(next, policy, end)) continue;
    next = addGroup(next, policy, end, minReplication);
  }
  return next;
}

export interface CutOptions {
  readonly nowNs: bigint;
  readonly minReplication: number;
  /** `placement.cut-lead` */
  readonly leadNs: bigint;
}

/** Groups that are still written and have fewer counting owners than there could be, or one that is not registered, are cut. */
export function withCuts(
  state: PlacementState,
  policies: readonly PolicyFacts[],
  registered: ReadonlySet<number>,
  { nowNs, minReplication, leadNs }: CutOptions,
): PlacementState {
  const { members } = state;
  if (members.length === 0) return state;
  const policyOf = finder(policies);
  return cutGroups(state, nowNs + leadNs, (group) => {
    const policy = policyOf(group);
    if (policy === undefined) return false;
    const wanted = replicasFor(members.length, policy.replication, minReplication);
    return group.shards.some(
      ({ owners }) =>
        owners.some(({ node }) => !registered.has(node)) ||
        owners.filter(({ node }) => members.includes(node)).length < wanted,
    );
  });
}

/** Nodes that are not registered no longer own what is not written any more. A group that had no other owner goes with them. */
export function withoutGone(
  state: PlacementState,
  registered: ReadonlySet<number>,
  nowNs: bigint,
): PlacementState {
  return mapGroups(state, (group) => {
    if (isWritable(group) && endOf(group) > nowNs) return group;
    return withoutOwners(group, registered);
  });
}

function withoutOwners(
  group: PlacedGroup,
  registered: ReadonlySet<number>,
): PlacedGroup | undefined {
  const isGone = ({ node }: { readonly node: number }) => !registered.has(node);
  if (!group.shards.some(({ owners }) => owners.some(isGone))) return group;
  const shards = group.shards.map((shard) => ({
    ...shard,
    owners: shard.owners.filter((owner) => !isGone(owner)),
  }));
  // The order and number of shards is the hash's modulus, so a group goes whole or stays whole.
  if (shards.every(({ owners }) => owners.length === 0)) return undefined;
  return shards.some(({ owners }) => owners.length === 0) ? group : { ...group, shards };
}

/** By name first: there may be thousands of policies, and tens of thousands of groups. */
function finder(policies: readonly PolicyFacts[]): (group: PlacedGroup) => PolicyFacts | undefined {
  const byName = new Map<string, PolicyFacts>();
  for (const each of policies) byName.set(JSON.stringify([each.database, each.policy]), each);
  return (group) => {
    const found = byName.get(JSON.stringify([group.database, group.policy]));
    return found !== undefined && isOfPolicy(group, found) ? found : undefined;
  };
}
