// What a stopped influxd's meta.db must hold so that it starts with the cluster's schema: the local file with the schema
// changed and everything node-local kept. Pure.
import { clone } from '@bufbuild/protobuf';
import type { Data, ShardGroupInfo } from '../../shared/meta/gen/meta_pb.js';
import { DataSchema } from '../../shared/meta/gen/meta_pb.js';
import type { ObjectKey, Schema } from '../../shared/meta/model.js';
import { emptyData, randomClusterId, writeSchema } from '../../shared/meta/snapshot.js';
import type { LoadedShard } from './port.js';

export interface OfflineOptions {
  /** Every shard number in the data directory: influxd would take over what lies under a number that it gives anew. */
  readonly diskShardIds: Iterable<bigint>;
  /** The monitoring database, which stays as it is; `_internal` where absent. */
  readonly internal?: string;
  /** Databases and policies that are other objects than the local ones of the same name: they lose their shard groups. */
  readonly recreated?: ReadonlySet<ObjectKey>;
}

/** influxd's own fresh file has Term 0: a running server that shows 1 has loaded ours and not made its own. */
const FRESH_TERM = 1n;
/** Index 1 would be rewritten by influxd at its start, losing fields that it does not know. */
const FRESH_INDEX = 2n;
/** Far more than influxd counts between two looks: Index never seems to go back, and a fork is told from a step. */
const INDEX_STEP = 1_000n;

/**
 * The message to write: schema equal to `target`; ClusterID, shard groups and ids of what stays as they were; Term one
 * higher, which is how a running influxd later shows that it loaded this file. Without a local file (a new server) a fresh
 * one with the schema alone and a new ClusterID, told by its Term as well.
 */
export function offlineData(
  local: Data | undefined,
  target: Schema,
  options: OfflineOptions,
): Data {
  const { internal, recreated } = options;
  const data = writeSchema(local ?? freshData(), target, {
    ...(internal === undefined ? {} : { internal }),
    ...(recreated === undefined ? {} : { recreated }),
  });
  if (local !== undefined) {
    data.Term = local.Term + 1n;
    data.Index = local.Index + INDEX_STEP;
  }
  return raiseIds(data, local, options.diskShardIds);
}

/** A copy whose counters are above every id in it, in `earlier`, and on disk; also for a backup that is put back. */
export function raiseIds(
  data: Data,
  earlier: Data | undefined,
  diskShardIds: Iterable<bigint>,
): Data {
  const result = clone(DataSchema, data);
  const groups = [...groupsOf(data), ...(earlier === undefined ? [] : groupsOf(earlier))];
  result.MaxShardGroupID = highest([
    data.MaxShardGroupID,
    earlier?.MaxShardGroupID ?? 0n,
    ...groups.map(({ group }) => group.ID),
  ]);
  result.MaxShardID = highest([
    data.MaxShardID,
    earlier?.MaxShardID ?? 0n,
    ...groups.flatMap(({ group }) => group.Shards.map(({ ID }) => ID)),
    ...diskShardIds,
  ]);
  return result;
}

/**
 * The shards that `before` lists and `after` doesn't: their files stay on disk, influxd opens them at each start, and no
 * query finds them. Whoever drops offline must say so.
 */
export function orphanedShards(before: Data, after: Data): LoadedShard[] {
  const kept = new Set(shardsOf(after).map(({ id }) => id));
  return shardsOf(before).filter(({ id }) => !kept.has(id));
}

function freshData(): Data {
  return Object.assign(emptyData(), {
    Term: FRESH_TERM,
    Index: FRESH_INDEX,
    ClusterID: randomClusterId(),
  });
}

function highest(ids: readonly bigint[]): bigint {
  return ids.reduce((a, b) => (a > b ? a : b), 0n);
}

function shardsOf(data: Data): LoadedShard[] {
  return groupsOf(data).flatMap(({ group, database, policy }) =>
    group.Shards.map(({ ID }) => ({ id: ID, database, policy })),
  );
}

function groupsOf(data: Data): { group: ShardGroupInfo; database: string; policy: string }[] {
  return data.Databases.flatMap((database) =>
    database.RetentionPolicies.flatMap((policy) =>
      policy.ShardGroups.map((group) => ({ group, database: database.Name, policy: policy.Name })),
    ),
  );
}
