// Shard groups of the fake influxd: one shard each, with the next local id, as InfluxDB OSS makes them.
import { create } from '@bufbuild/protobuf';
import type { Data, RetentionPolicyInfo } from '../../../shared/meta/gen/meta_pb.js';
import { ShardGroupInfoSchema, ShardInfoSchema } from '../../../shared/meta/gen/meta_pb.js';

/** Groups begin at multiples of their duration counted from year 1, not from 1970. */
const YEAR_ONE_NS = 62_135_596_800_000_000_000n;

function groupStart(timeNs: bigint, durationNs: bigint): bigint {
  return timeNs - ((timeNs + YEAR_ONE_NS) % durationNs);
}

/** The shard that takes a point of this time; undefined where no live group has it. */
export function shardFor(policy: RetentionPolicyInfo, timeNs: bigint): bigint | undefined {
  const group = policy.ShardGroups.find(
    ({ StartTime, EndTime, DeletedAt }) =>
      DeletedAt === 0n && StartTime <= timeNs && timeNs < EndTime,
  );
  return group?.Shards[0]?.ID;
}

/** Makes the group for this time; returns the id of its shard. */
export function addGroup(data: Data, policy: RetentionPolicyInfo, timeNs: bigint): bigint {
  const start = groupStart(timeNs, policy.ShardGroupDuration);
  data.MaxShardGroupID += 1n;
  data.MaxShardID += 1n;
  policy.ShardGroups.push(
    create(ShardGroupInfoSchema, {
      ID: data.MaxShardGroupID,
      StartTime: start,
      EndTime: start + policy.ShardGroupDuration,
      DeletedAt: 0n,
      Shards: [create(ShardInfoSchema, { ID: data.MaxShardID })],
    }),
  );
  policy.ShardGroups.sort((a, b) => (a.StartTime < b.StartTime ? -1 : 1));
  return data.MaxShardID;
}
