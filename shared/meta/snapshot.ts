// Between meta.Data messages and the schema model: reading a schema, writing one into a message, and the two forms that
// leave an agent or a manager (canonical for a push, bootable for an export). Shard groups never come from another node.
import { randomBytes } from 'node:crypto';
import { clone, create } from '@bufbuild/protobuf';
import type { Data, DatabaseInfo, RetentionPolicyInfo, UserInfo } from './gen/meta_pb.js';
import {
  ContinuousQueryInfoSchema,
  DatabaseInfoSchema,
  DataSchema,
  RetentionPolicyInfoSchema,
  SubscriptionInfoSchema,
  UserInfoSchema,
  UserPrivilegeSchema,
} from './gen/meta_pb.js';
import type { ObjectKey, PrivilegeLevel, Schema, SchemaObject, ValueOf } from './model.js';
import { encodeValue, keyOf } from './model.js';

/** influxd's monitoring database, by its default name; it is node-local and never shared. */
export const INTERNAL_DATABASE = '_internal';

/** Every shared object of a message: all but the monitoring database and what speaks of it. */
export function readSchema(
  data: Data,
  { internal = INTERNAL_DATABASE }: { readonly internal?: string } = {},
): Map<ObjectKey, SchemaObject> {
  const schema = new Map<ObjectKey, SchemaObject>();
  const add = (object: SchemaObject) => schema.set(keyOf(object), object);
  for (const database of data.Databases) {
    if (database.Name !== internal) readDatabase(database, add);
  }
  for (const user of data.Users) readUser(user, internal, add);
  return schema;
}

function readDatabase(info: DatabaseInfo, add: (object: SchemaObject) => void): void {
  const database = info.Name;
  add({
    kind: 'database',
    path: [database],
    value: { defaultPolicy: info.DefaultRetentionPolicy },
  });
  for (const policy of info.RetentionPolicies) {
    add({ kind: 'policy', path: [database, policy.Name], value: policyValue(policy) });
    for (const { Name, Mode, Destinations } of policy.Subscriptions) {
      add({
        kind: 'subscription',
        path: [database, policy.Name, Name],
        value: { mode: Mode, destinations: [...Destinations] },
      });
    }
  }
  for (const { Name, Query } of info.ContinuousQueries) {
    add({ kind: 'continuous-query', path: [database, Name], value: { query: Query } });
  }
}

function policyValue(info: RetentionPolicyInfo): ValueOf['policy'] {
  return {
    durationNs: info.Duration,
    shardDurationNs: info.ShardGroupDuration,
    replication: info.ReplicaN,
    futureLimitNs: info.FutureWriteLimit,
    pastLimitNs: info.PastWriteLimit,
  };
}

function readUser(info: UserInfo, internal: string, add: (object: SchemaObject) => void): void {
  add({ kind: 'user', path: [info.Name], value: { hash: info.Hash, admin: info.Admin } });
  for (const { Database, Privilege } of info.Privileges) {
    // REVOKE leaves an entry with 0, which means the same as none.
    if (Privilege === 0 || Database === internal) continue;
    add({
      kind: 'privilege',
      path: [info.Name, Database],
      value: { level: Privilege as PrivilegeLevel },
    });
  }
}

/** A message with nothing in it but what is required. */
export function emptyData(): Data {
  return create(DataSchema, {
    Term: 0n,
    Index: 0n,
    ClusterID: 0n,
    MaxNodeID: 0n,
    MaxShardGroupID: 0n,
    MaxShardID: 0n,
  });
}

/**
 * A copy of `data` whose schema equals `schema`. What stays keeps its shard groups, place and unknown fields; what is new
 * comes last; what is gone takes its shard groups along, and so does what is listed in `recreated` (another object of the
 * same name). The monitoring database is left as it is.
 */
export function writeSchema(
  data: Data,
  schema: Schema,
  options: { readonly internal?: string; readonly recreated?: ReadonlySet<ObjectKey> } = {},
): Data {
  const internal = options.internal ?? INTERNAL_DATABASE;
  const writer: SchemaWriter = {
    schema: indexByParent(schema),
    recreated: options.recreated ?? new Set(),
  };
  const result = clone(DataSchema, data);
  const local = result.Databases.filter(({ Name }) => Name === internal);
  const shared = result.Databases.filter(({ Name }) => Name !== internal);
  result.Databases = [...local, ...writeDatabases(writer, shared)];
  result.Users = writeUsers(writer, result.Users, internal);
  return result;
}

interface SchemaWriter {
  readonly schema: SchemaIndex;
  readonly recreated: ReadonlySet<ObjectKey>;
}

/** Objects grouped by what they lie in, so that writing is linear in their number. */
interface SchemaIndex {
  readonly databases: readonly Extract<SchemaObject, { kind: 'database' }>[];
  readonly users: readonly Extract<SchemaObject, { kind: 'user' }>[];
  policies(database: string): readonly Extract<SchemaObject, { kind: 'policy' }>[];
  queries(database: string): readonly Extract<SchemaObject, { kind: 'continuous-query' }>[];
  subscriptions(
    database: string,
    policy: string,
  ): readonly Extract<SchemaObject, { kind: 'subscription' }>[];
  privileges(user: string): readonly Extract<SchemaObject, { kind: 'privilege' }>[];
}

function indexByParent(schema: Schema): SchemaIndex {
  const groups = new Map<string, SchemaObject[]>();
  for (const object of schema.values()) {
    const parent = JSON.stringify([object.kind, ...object.path.slice(0, -1)]);
    const siblings = groups.get(parent);
    if (siblings) siblings.push(object);
    else groups.set(parent, [object]);
  }
  const find = (...parent: string[]) => (groups.get(JSON.stringify(parent)) ?? []) as never[];
  return {
    databases: find('database'),
    users: find('user'),
    policies: (database) => find('policy', database),
    queries: (database) => find('continuous-query', database),
    subscriptions: (database, policy) => find('subscription', database, policy),
    privileges: (user) => find('privilege', user),
  };
}

/** Existing messages of the names that are wanted, in their order, then new ones. */
function keepAndAdd<T extends { Name: string }, O>(
  existing: readonly T[],
  wanted: readonly O[],
  nameOfObject: (object: O) => string,
  make: (object: O) => T,
): { info: T; object: O }[] {
  const byName = new Map(wanted.map((object) => [nameOfObject(object), object]));
  const kept: { info: T; object: O }[] = [];
  for (const info of existing) {
    const object = byName.get(info.Name);
    if (object === undefined) continue;
    byName.delete(info.Name);
    kept.push({ info, object });
  }
  for (const object of byName.values()) kept.push({ info: make(object), object });
  return kept;
}

function writeDatabases(writer: SchemaWriter, existing: readonly DatabaseInfo[]): DatabaseInfo[] {
  const pairs = keepAndAdd(
    existing,
    writer.schema.databases,
    ({ path }) => path[0],
    ({ path }) => create(DatabaseInfoSchema, { Name: path[0] }),
  );
  return pairs.map(({ info, object }) => {
    const database = object.path[0];
    info.DefaultRetentionPolicy = object.value.defaultPolicy;
    const isNew = writer.recreated.has(keyOf(object));
    info.RetentionPolicies = writePolicies(writer, database, isNew ? [] : info.RetentionPolicies);
    info.ContinuousQueries = keepAndAdd(
      info.ContinuousQueries,
      writer.schema.queries(database),
      ({ path }) => path[1],
      ({ path }) => create(ContinuousQueryInfoSchema, { Name: path[1] }),
    ).map(({ info: query, object: { value } }) => {
      query.Query = value.query;
      return query;
    });
    return info;
  });
}

function writePolicies(
  writer: SchemaWriter,
  database: string,
  existing: readonly RetentionPolicyInfo[],
): RetentionPolicyInfo[] {
  const pairs = keepAndAdd(
    existing,
    writer.schema.policies(database),
    ({ path }) => path[1],
    ({ path }) => create(RetentionPolicyInfoSchema, { Name: path[1] }),
  );
  return pairs.map(({ info, object }) => {
    const { value, path } = object;
    info.Duration = value.durationNs;
    info.ShardGroupDuration = value.shardDurationNs;
    info.ReplicaN = value.replication;
    writeLimit(info, 'FutureWriteLimit', value.futureLimitNs);
    writeLimit(info, 'PastWriteLimit', value.pastLimitNs);
    if (writer.recreated.has(keyOf(object))) info.ShardGroups = [];
    info.Subscriptions = keepAndAdd(
      info.Subscriptions,
      writer.schema.subscriptions(database, path[1]),
      (subscription) => subscription.path[2],
      (subscription) => create(SubscriptionInfoSchema, { Name: subscription.path[2] }),
    ).map(({ info: subscription, object: wanted }) => {
      subscription.Mode = wanted.value.mode;
      subscription.Destinations = [...wanted.value.destinations];
      return subscription;
    });
    return info;
  });
}

/** 0 stays absent where it was absent: servers before 1.12 have no such field. */
function writeLimit(
  info: RetentionPolicyInfo,
  field: 'FutureWriteLimit' | 'PastWriteLimit',
  value: bigint,
): void {
  if (info[field] !== value) info[field] = value;
}

function writeUsers(
  writer: SchemaWriter,
  existing: readonly UserInfo[],
  internal: string,
): UserInfo[] {
  const pairs = keepAndAdd(
    existing,
    writer.schema.users,
    ({ path }) => path[0],
    ({ path }) => create(UserInfoSchema, { Name: path[0] }),
  );
  return pairs.map(({ info, object }) => {
    info.Hash = object.value.hash;
    info.Admin = object.value.admin;
    const local = info.Privileges.filter(({ Database }) => Database === internal);
    const shared = writer.schema
      .privileges(object.path[0])
      .map(({ path, value }) =>
        create(UserPrivilegeSchema, { Database: path[1], Privilege: value.level }),
      );
    info.Privileges = [...local, ...shared];
    return info;
  });
}

/**
 * The form in which an agent pushes: no Term, Index, ids or node lists, no shard groups, no monitoring database, everything
 * sorted by name, so that equal content is equal bytes.
 */
export function canonicalSnapshot(
  data: Data,
  { internal = INTERNAL_DATABASE }: { readonly internal?: string } = {},
): Data {
  const result = clone(DataSchema, data);
  Object.assign(result, { Term: 0n, Index: 0n, ClusterID: 0n });
  Object.assign(result, { MaxNodeID: 0n, MaxShardGroupID: 0n, MaxShardID: 0n });
  Object.assign(result, { Nodes: [], DataNodes: [], MetaNodes: [] });
  result.Databases = result.Databases.filter(({ Name }) => Name !== internal).sort(byName);
  for (const database of result.Databases) {
    database.RetentionPolicies.sort(byName);
    database.ContinuousQueries.sort(byName);
    for (const policy of database.RetentionPolicies) {
      policy.ShardGroups = [];
      policy.Subscriptions.sort(byName);
    }
  }
  result.Users.sort(byName);
  for (const user of result.Users) {
    user.Privileges = user.Privileges.filter(
      ({ Database, Privilege }) => Privilege !== 0 && Database !== internal,
    ).sort((a, b) => compareText(a.Database, b.Database));
  }
  return result;
}

function byName(a: { Name: string }, b: { Name: string }): number {
  return compareText(a.Name, b.Name);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The form that influxd boots from: Index 2 (1 would be rewritten at start) and a ClusterID of its own. */
export function exportSnapshot(data: Data): Data {
  const result = clone(DataSchema, data);
  if (result.Index < 2n) result.Index = 2n;
  if (result.ClusterID === 0n) result.ClusterID = randomClusterId();
  return result;
}

/** 63 random bits and never 0, as influxd makes it. */
export function randomClusterId(): bigint {
  return (randomBytes(8).readBigUInt64BE() >> 1n) | 1n;
}

/** A schema as text in which equal schemas are equal, whatever their order. */
export function schemaText(schema: Schema): string {
  return JSON.stringify(
    [...schema]
      .map(([key, object]) => [key, encodeValue(object.value)])
      .sort(([a = ''], [b = '']) => compareText(a, b)),
  );
}
