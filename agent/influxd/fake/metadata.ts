// What a metadata statement does to the metadata of the fake influxd: the rules, error texts and Index steps that were seen
// on real servers (1.6). Changes the message in place.
import { create } from '@bufbuild/protobuf';
import type { Data, DatabaseInfo, RetentionPolicyInfo } from '../../../shared/meta/gen/meta_pb.js';
import {
  ContinuousQueryInfoSchema,
  DatabaseInfoSchema,
  RetentionPolicyInfoSchema,
  SubscriptionInfoSchema,
} from '../../../shared/meta/gen/meta_pb.js';
import { MAX_NAME_BYTES, MIN_DURATION_NS, normalisePolicy, whyBadName } from '../rules.js';
import type { CommandOf, Effect, MetadataOptions } from './outcome.js';
import { databaseNamed, Refusal } from './outcome.js';
import type { Command, PolicyClauses } from './parser.js';
import { applyUserCommand } from './users.js';

export function applyCommand(data: Data, command: Command, options: MetadataOptions): Effect {
  switch (command.kind) {
    case 'create-database':
      return createDatabase(data, command, options);
    case 'drop-database':
      return dropDatabase(data, command.database);
    case 'create-policy':
      return createPolicy(data, command);
    case 'alter-policy':
      return alterPolicy(data, command);
    case 'drop-policy':
      return dropPolicy(data, command);
    case 'create-query':
      return createQuery(data, command);
    case 'drop-query':
      return dropQuery(data, command);
    case 'create-subscription':
      return createSubscription(data, command);
    case 'drop-subscription':
      return dropSubscription(data, command);
    case 'create-user':
    case 'set-password':
    case 'drop-user':
    case 'set-admin':
    case 'set-privilege':
      return applyUserCommand(data, command, options);
  }
}

function policyNamed(database: DatabaseInfo, name: string): RetentionPolicyInfo {
  const found = database.RetentionPolicies.find(({ Name }) => Name === name);
  if (found === undefined) throw new Refusal(`retention policy not found: ${name}`);
  return found;
}

function createDatabase(
  data: Data,
  { database, policy }: CommandOf<'create-database'>,
  options: MetadataOptions,
): Effect {
  checkName(database);
  const existing = data.Databases.find(({ Name }) => Name === database);
  if (policy === undefined && existing !== undefined) return 'nothing';
  const clauses = policy ?? (options.autocreate ? {} : undefined);
  if (existing !== undefined && existing.RetentionPolicies.length > 0) {
    if (clauses && isAlreadyDefault(existing, clauses)) return 'committed';
    throw new Refusal('retention policy conflicts with an existing policy');
  }
  const made = clauses && policyOf({ name: 'autogen', ...clauses });
  const info =
    existing ?? create(DatabaseInfoSchema, { Name: database, DefaultRetentionPolicy: '' });
  if (made) {
    info.RetentionPolicies.push(made);
    info.DefaultRetentionPolicy = made.Name;
  }
  if (existing === undefined) data.Databases.push(info);
  return 'committed';
}

/** Fields that the statement leaves out match everything. */
function isAlreadyDefault(database: DatabaseInfo, clauses: PolicyClauses): boolean {
  const { name = 'autogen', durationNs, replication, shardDurationNs = 0n } = clauses;
  checkMinimum(durationNs ?? 0n);
  const found = database.RetentionPolicies.find(({ Name }) => Name === name);
  if (found === undefined || database.DefaultRetentionPolicy !== name) return false;
  if (durationNs !== undefined && durationNs !== found.Duration) return false;
  if (replication !== undefined && replication !== found.ReplicaN) return false;
  const { Duration, ReplicaN, ShardGroupDuration } = found;
  return normalShard(Duration, shardDurationNs, ReplicaN) === ShardGroupDuration;
}

function dropDatabase(data: Data, name: string): Effect {
  if (!data.Databases.some(({ Name }) => Name === name)) return 'nothing';
  data.Databases = data.Databases.filter(({ Name }) => Name !== name);
  for (const user of data.Users)
    user.Privileges = user.Privileges.filter(({ Database }) => Database !== name);
  return 'committed';
}

function checkName(name: string): void {
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw new Refusal('name too long');
  if (name === '' || whyBadName(name) !== undefined) throw new Refusal('invalid name');
}

/** The policy that influxd makes of a statement's clauses. */
function policyOf(clauses: PolicyClauses): RetentionPolicyInfo {
  const { name = '', durationNs = 0n, shardDurationNs = 0n, replication = 1 } = clauses;
  checkName(name);
  const shard = normalShard(durationNs, shardDurationNs, replication);
  checkDurations(durationNs, shard);
  return create(RetentionPolicyInfoSchema, {
    Name: name,
    Duration: durationNs,
    ShardGroupDuration: shard,
    ReplicaN: checkedReplication(replication),
  });
}

function normalShard(durationNs: bigint, shardDurationNs: bigint, replication: number): bigint {
  const limits = { futureLimitNs: 0n, pastLimitNs: 0n };
  return normalisePolicy({ durationNs, shardDurationNs, replication, ...limits }).shardDurationNs;
}

function checkMinimum(durationNs: bigint): void {
  if (durationNs !== 0n && durationNs < MIN_DURATION_NS) {
    throw new Refusal('retention policy duration must be at least 1h0m0s');
  }
}

function checkDurations(durationNs: bigint, shardNs: bigint): void {
  checkMinimum(durationNs);
  if (durationNs !== 0n && durationNs < shardNs) {
    throw new Refusal('retention policy duration must be greater than the shard duration');
  }
}

function checkedReplication(replication: number): number {
  if (Number.isInteger(replication) && replication >= 1 && replication <= 2_147_483_647)
    return replication;
  throw new Refusal(
    `error parsing query: invalid value ${replication}: must be 1 <= n <= 2147483647`,
  );
}

function isSamePolicy(a: RetentionPolicyInfo, b: RetentionPolicyInfo): boolean {
  return (
    a.Duration === b.Duration &&
    a.ShardGroupDuration === b.ShardGroupDuration &&
    a.ReplicaN === b.ReplicaN
  );
}

function createPolicy(data: Data, command: CommandOf<'create-policy'>): Effect {
  const made = policyOf({ ...command.clauses, name: command.policy });
  const database = databaseNamed(data, command.database);
  const isDefault = command.clauses.isDefault === true;
  const existing = database.RetentionPolicies.find(({ Name }) => Name === made.Name);
  if (existing !== undefined) {
    if (!isSamePolicy(existing, made)) throw new Refusal('retention policy already exists');
    if (isDefault && database.DefaultRetentionPolicy !== made.Name) {
      throw new Refusal('retention policy conflicts with an existing policy');
    }
    return 'committed';
  }
  database.RetentionPolicies.push(made);
  if (isDefault) database.DefaultRetentionPolicy = made.Name;
  return 'committed';
}

function alterPolicy(data: Data, command: CommandOf<'alter-policy'>): Effect {
  const database = databaseNamed(data, command.database);
  const policy = policyNamed(database, command.policy);
  const { clauses } = command;
  const durationNs = clauses.durationNs ?? policy.Duration;
  if (clauses.durationNs !== undefined || clauses.shardDurationNs !== undefined) {
    checkDurations(durationNs, clauses.shardDurationNs ?? policy.ShardGroupDuration);
  }
  const replication = checkedReplication(clauses.replication ?? policy.ReplicaN);
  policy.Duration = durationNs;
  policy.ReplicaN = replication;
  if (clauses.shardDurationNs !== undefined) {
    policy.ShardGroupDuration = normalShard(durationNs, clauses.shardDurationNs, replication);
  }
  if (clauses.isDefault === true) database.DefaultRetentionPolicy = policy.Name;
  return 'committed';
}

/** The default may name a policy that is gone: influxd leaves it so. */
function dropPolicy(data: Data, command: CommandOf<'drop-policy'>): Effect {
  const database = data.Databases.find(({ Name }) => Name === command.database);
  if (!database?.RetentionPolicies.some(({ Name }) => Name === command.policy)) return 'nothing';
  database.RetentionPolicies = database.RetentionPolicies.filter(
    ({ Name }) => Name !== command.policy,
  );
  return 'committed';
}

/** `database.policy.` in front of a measurement; what it names must be there. */
const QUALIFIED = /\b(?:INTO|FROM)\s+("(?:[^"\\]|\\.)*"|\w+)\.("(?:[^"\\]|\\.)*"|\w+)\./gi;

function createQuery(data: Data, command: CommandOf<'create-query'>): Effect {
  const database = databaseNamed(data, command.database);
  for (const [, source = '', policy = ''] of command.text.matchAll(QUALIFIED)) {
    const [databaseName, policyName] = [source, policy].map((name) => name.replace(/^"|"$/g, ''));
    const target = databaseNamed(data, databaseName ?? '');
    if (!target.RetentionPolicies.some(({ Name }) => Name === policyName)) {
      throw new Refusal(`retention policy not found: ${databaseName ?? ''}.${policyName ?? ''}`);
    }
  }
  const existing = database.ContinuousQueries.find(({ Name }) => Name === command.name);
  if (existing === undefined) {
    const { name: Name, text: Query } = command;
    database.ContinuousQueries.push(create(ContinuousQueryInfoSchema, { Name, Query }));
  } else if (existing.Query.toLowerCase() !== command.text.toLowerCase()) {
    throw new Refusal('continuous query already exists');
  }
  return 'committed';
}

function dropQuery(data: Data, command: CommandOf<'drop-query'>): Effect {
  const database = data.Databases.find(({ Name }) => Name === command.database);
  if (database) {
    database.ContinuousQueries = database.ContinuousQueries.filter(
      ({ Name }) => Name !== command.name,
    );
  }
  return 'committed';
}

function createSubscription(data: Data, command: CommandOf<'create-subscription'>): Effect {
  for (const destination of command.destinations) {
    if (!/^(?:udp|https?):\/\/[^/?#]*:\d+(?:[/?#]|$)/.test(destination)) {
      throw new Refusal(`invalid subscription URL: ${destination}`);
    }
  }
  const [database, policyName, Name] = command.path;
  const policy = policyNamed(databaseNamed(data, database), policyName);
  if (policy.Subscriptions.some((each) => each.Name === Name)) {
    throw new Refusal('subscription already exists');
  }
  const { mode: Mode, destinations: Destinations } = command;
  policy.Subscriptions.push(create(SubscriptionInfoSchema, { Name, Mode, Destinations }));
  return 'committed';
}

function dropSubscription(data: Data, { path }: CommandOf<'drop-subscription'>): Effect {
  const [database, policyName, name] = path;
  const policy = policyNamed(databaseNamed(data, database), policyName);
  const rest = policy.Subscriptions.filter(({ Name }) => Name !== name);
  if (rest.length === policy.Subscriptions.length) throw new Refusal('subscription not found');
  policy.Subscriptions = rest;
  return 'committed';
}
