// What the gateway answers from what the cluster knows, in influxd's own format: the databases, and the placement in the place of
// a server's shards. Everything else about metadata the local influxd knows as well, and says itself.
import { formatTime } from '../../../shared/influx/time.js';
import type { PlacedGroup, Placement } from '../../../shared/placement/model.js';
import { mayList } from '../auth/authorize.js';
import type { GatewayCaller } from '../auth/port.js';
import type { Metadata } from '../metadata/port.js';
import type { Cell, Row, StatementResult } from './results.js';

/** influxd's own database, which each server has for itself. */
export const INTERNAL = '_internal';

/** Those that the caller may read or write, in the cluster's order; `ownOnes`: databases that only this server has. */
export function showDatabases(
  metadata: Metadata,
  ownOnes: readonly string[],
  caller: GatewayCaller,
): StatementResult {
  const names = [...ownOnes, ...metadata.databases.keys()];
  const visible = names.filter((name) => mayList(caller, name));
  const row: Row = { name: 'databases', columns: ['name'] };
  return {
    series: [visible.length === 0 ? row : { ...row, values: visible.map((name) => [name]) }],
  };
}

/** SHOW SHARDS: ids are the cluster's, owners are node ids. */
export function showShards(placement: Placement, metadata: Metadata): StatementResult {
  const columns = [
    'id',
    'database',
    'retention_policy',
    'shard_group',
    'start_time',
    'end_time',
    'expiry_time',
    'owners',
  ];
  const series = [...metadata.databases.keys()].map((name): Row => {
    const values = liveGroups(placement, metadata, name).flatMap((group) =>
      group.shards.map((shard): Cell[] => {
        const { database, policy, id } = group;
        const owners = shard.owners.map((owner) => owner.node.toString()).join(',');
        return [BigInt(shard.id), database, policy, BigInt(id), ...times(group, metadata), owners];
      }),
    );
    return values.length === 0 ? { name, columns } : { name, columns, values };
  });
  return { series };
}

/** SHOW SHARD GROUPS. */
export function showShardGroups(placement: Placement, metadata: Metadata): StatementResult {
  const columns = ['id', 'database', 'retention_policy', 'start_time', 'end_time', 'expiry_time'];
  const values = [...metadata.databases.keys()].flatMap((name) =>
    liveGroups(placement, metadata, name).map((group): Cell[] => [
      BigInt(group.id),
      group.database,
      group.policy,
      ...times(group, metadata),
    ]),
  );
  const row: Row = { name: 'shard groups', columns };
  return { series: [values.length === 0 ? row : { ...row, values }] };
}

/** Those of the database and policy that bear the name now. */
function liveGroups(placement: Placement, { databases }: Metadata, name: string): PlacedGroup[] {
  const database = databases.get(name);
  return placement.groups.filter(
    (group) =>
      group.database === name &&
      group.databaseMark === database?.mark &&
      group.policyMark === database.policies.get(group.policy)?.mark,
  );
}

/** Start, end and expiry. A group of a policy without an end expires at its own end, as influxd 1.6 prints it. */
function times(group: PlacedGroup, { databases }: Metadata): string[] {
  const durationNs = databases.get(group.database)?.policies.get(group.policy)?.durationNs ?? 0n;
  return [group.startNs, group.endNs, group.endNs + durationNs].map(inSeconds);
}

/** influxd prints these without a fraction. */
function inSeconds(ns: bigint): string {
  return formatTime(ns).replace(/\.\d+Z$/, 'Z');
}
