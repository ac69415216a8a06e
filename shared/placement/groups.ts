// How a shard group is made: its boundaries, its shards and their owners follow from the members, the policy and the groups
// that are there already. Pure; it refuses nothing, see rules.ts for what a placement may look like.
import { createHash } from 'node:crypto';
import { groupBounds } from '../influx/group-time.js';
import { endOf, isWritable } from './rules.js';
import type { PlacedGroup, PlacedShard } from './model.js';

/** What the cluster's metadata says of a retention policy. */
export interface PolicyFacts {
  readonly database: string;
  readonly policy: string;
  readonly databaseMark: number;
  readonly policyMark: number;
  /** How long points are kept; 0: for ever. */
  readonly durationNs: bigint;
  /** 0: the default for the policy's duration. */
  readonly shardDurationNs: bigint;
  /** REPLICATION of the policy. */
  readonly replication: number;
}

/** The next ids that a placement gives. */
export interface NextIds {
  readonly group: number;
  readonly shard: number;
}

/** int64 nanoseconds begin here; a group that would begin before is read as beginning here. */
const MIN_START_NS = -(2n ** 63n);

const HOUR_NS = 3_600_000_000_000n;
const DAY_NS = 24n * HOUR_NS;

/** The range of time around `timeNs` that one group takes where no other is in its way: as influxd's (Go's Time.Truncate). */
export function rangeAround(
  timeNs: bigint,
  policy: Pick<PolicyFacts, 'durationNs' | 'shardDurationNs'>,
): { readonly startNs: bigint; readonly endNs: bigint } {
  const { startNs, endNs } = groupBounds(timeNs, shardDurationOf(policy));
  return { startNs: startNs < MIN_START_NS ? MIN_START_NS : startNs, endNs };
}

/** As influxd takes it where a policy names none: an hour below 2 days, a day below 180, else a week. */
function shardDurationOf({
  durationNs,
  shardDurationNs,
}: Pick<PolicyFacts, 'durationNs' | 'shardDurationNs'>): bigint {
  if (shardDurationNs > 0n) return shardDurationNs;
  if (durationNs === 0n || durationNs >= 180n * DAY_NS) return 7n * DAY_NS;
  return durationNs >= 2n * DAY_NS ? DAY_NS : HOUR_NS;
}

/** How many nodes keep each shard. */
export function replicasFor(members: number, replication: number, minReplication: number): number {
  return Math.min(members, Math.max(replication, minReplication));
}

/**
 * Owners of the shards of one group: dealt in turn, from a start that belongs to the database, so that all its groups have
 * the same owners for as long as the members stay the same. A node owns one shard at most.
 * @param members at least one, ascending
 */
export function dealOwners(
  members: readonly number[],
  database: string,
  replicas: number,
): readonly (readonly number[])[] {
  const shards = Math.max(1, Math.floor(members.length / replicas));
  const start = startOf(database, members.length);
  return Array.from({ length: shards }, (_, shard) =>
    Array.from(
      { length: replicas },
      (__, copy) => members[(start + shard * replicas + copy) % members.length] ?? 0,
    ),
  );
}

/** The same for ever: it decides where data lies. */
function startOf(database: string, members: number): number {
  return createHash('sha256').update(database).digest().readUInt32BE(0) % members;
}

export interface GroupRequest {
  /** Ids, ascending, at least one. */
  readonly members: readonly number[];
  readonly minReplication: number;
  readonly policy: PolicyFacts;
  /** Any time within the group. No writable group of the policy may take it already. */
  readonly timeNs: bigint;
  /** The groups of this policy with these marks; others are passed over. */
  readonly neighbours: readonly PlacedGroup[];
  readonly ids: NextIds;
}

/** The group that takes `timeNs`, cut off where its writable neighbours begin and end. Its shards have the ids from `ids.shard` on. */
export function makeGroup(request: GroupRequest): PlacedGroup {
  const { members, minReplication, policy, timeNs, neighbours, ids } = request;
  let { startNs, endNs } = rangeAround(timeNs, policy);
  for (const other of neighbours) {
    if (!isOfPolicy(other, policy) || !isWritable(other)) continue;
    if (endOf(other) <= timeNs && endOf(other) > startNs) startNs = endOf(other);
    if (other.startNs > timeNs && other.startNs < endNs && other.startNs < endOf(other)) {
      endNs = other.startNs;
    }
  }
  const { database, databaseMark, policyMark } = policy;
  const replicas = replicasFor(members.length, policy.replication, minReplication);
  const shards: PlacedShard[] = dealOwners(members, database, replicas).map((owners, index) => ({
    id: ids.shard + index,
    owners: owners.map((node) => ({ node })),
  }));
  return {
    id: ids.group,
    database,
    policy: policy.policy,
    databaseMark,
    policyMark,
    startNs,
    endNs,
    shards,
  };
}

/** Of the same object, not only of the same name. */
export function isOfPolicy(
  group: PlacedGroup,
  policy: Pick<PolicyFacts, 'database' | 'policy' | 'databaseMark' | 'policyMark'>,
): boolean {
  return (
    group.database === policy.database &&
    group.policy === policy.policy &&
    group.databaseMark === policy.databaseMark &&
    group.policyMark === policy.policyMark
  );
}
