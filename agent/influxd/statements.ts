// The InfluxQL statements that bring an influxd's metadata to a wanted object, one statement each. Pure text; whether
// influxd would take them is said by `refusalOf` in rules.ts, which callers ask first.
import type { ObjectName, ObjectOf, ValueOf } from '../../shared/meta/model.js';
import { PRIVILEGES } from '../../shared/meta/model.js';
import { formatDuration, quoteIdentifier, quoteString } from './quote.js';

type PolicyObject = ObjectOf<'policy'>;

/**
 * Creates a database. With a policy of its own it comes with exactly that one, as the default; without one influxd makes
 * `autogen` (unless its retention-autocreate is off). Creating one that is there changes nothing.
 */
export function createDatabase(database: ObjectOf<'database'>, policy?: PolicyObject): string {
  const create = `CREATE DATABASE ${quoteIdentifier(database.path[0])}`;
  if (policy === undefined) return create;
  return `${create} WITH ${policyClauses(policy.value)} NAME ${quoteIdentifier(policy.path[1])}`;
}

/** Creates a policy; `isDefault` makes it the default of its database in the same step. */
export function createPolicy(
  policy: PolicyObject,
  options: { readonly isDefault: boolean },
): string {
  const create = `CREATE RETENTION POLICY ${policyOn(policy.path)} ${policyClauses(policy.value)}`;
  return options.isDefault ? `${create} DEFAULT` : create;
}

/** All changed fields in one statement, so that no state between them is seen; undefined where nothing differs. */
export function alterPolicy(before: ValueOf['policy'], after: PolicyObject): string | undefined {
  const { value } = after;
  const clauses: string[] = [];
  if (value.durationNs !== before.durationNs)
    clauses.push(`DURATION ${formatDuration(value.durationNs)}`);
  if (value.replication !== before.replication) clauses.push(`REPLICATION ${value.replication}`);
  if (value.shardDurationNs !== before.shardDurationNs) {
    clauses.push(`SHARD DURATION ${formatDuration(value.shardDurationNs)}`);
  }
  if (value.futureLimitNs !== before.futureLimitNs) {
    clauses.push(`FUTURE LIMIT ${formatLimit(value.futureLimitNs)}`);
  }
  if (value.pastLimitNs !== before.pastLimitNs) {
    clauses.push(`PAST LIMIT ${formatLimit(value.pastLimitNs)}`);
  }
  if (clauses.length === 0) return undefined;
  return `ALTER RETENTION POLICY ${policyOn(after.path)} ${clauses.join(' ')}`;
}

/** Makes an existing policy the default of its database. */
export function setDefaultPolicy(path: PolicyObject['path']): string {
  return `ALTER RETENTION POLICY ${policyOn(path)} DEFAULT`;
}

/** The stored text, verbatim: influxd turns it into itself again. Needs the policies that it names. */
export function createContinuousQuery(query: ObjectOf<'continuous-query'>): string {
  return query.value.query;
}

export function createSubscription({ path, value }: ObjectOf<'subscription'>): string {
  const destinations = value.destinations.map(quoteString).join(', ');
  return `CREATE SUBSCRIPTION ${subscriptionOn(path)} DESTINATIONS ${value.mode} ${destinations}`;
}

/** Creates a user whose password is known as text; influxd makes its own salt. */
export function createUser(user: string, password: string, isAdmin: boolean): string {
  const create = `CREATE USER ${quoteIdentifier(user)} WITH PASSWORD ${quoteString(password)}`;
  return isAdmin ? `${create} WITH ALL PRIVILEGES` : create;
}

export function setPassword(user: string, password: string): string {
  return `SET PASSWORD FOR ${quoteIdentifier(user)} = ${quoteString(password)}`;
}

/** Gives or takes the administrator flag of an existing user. */
export function setAdmin(user: string, isAdmin: boolean): string {
  const name = quoteIdentifier(user);
  return isAdmin ? `GRANT ALL PRIVILEGES TO ${name}` : `REVOKE ALL PRIVILEGES FROM ${name}`;
}

/** Sets a user's privilege on a database; it replaces the one before, also where that was more. */
export function grant({ path, value }: ObjectOf<'privilege'>): string {
  const [user, database] = path;
  return `GRANT ${PRIVILEGES[value.level]} ON ${quoteIdentifier(database)} TO ${quoteIdentifier(user)}`;
}

/** Drops an object; of a privilege: revokes it (which leaves an entry without meaning). */
export function drop(name: ObjectName): string {
  switch (name.kind) {
    case 'database':
      return `DROP DATABASE ${quoteIdentifier(name.path[0])}`;
    case 'policy':
      return `DROP RETENTION POLICY ${policyOn(name.path)}`;
    case 'continuous-query':
      return `DROP CONTINUOUS QUERY ${quoteIdentifier(name.path[1])} ON ${quoteIdentifier(name.path[0])}`;
    case 'subscription':
      return `DROP SUBSCRIPTION ${subscriptionOn(name.path)}`;
    case 'user':
      return `DROP USER ${quoteIdentifier(name.path[0])}`;
    case 'privilege':
      return `REVOKE ALL ON ${quoteIdentifier(name.path[1])} FROM ${quoteIdentifier(name.path[0])}`;
  }
}

/** A shard duration of 0 lets influxd choose; it has no word for it, so the clause is left out. */
function policyClauses(value: ValueOf['policy']): string {
  const clauses = [
    `DURATION ${formatDuration(value.durationNs)}`,
    `REPLICATION ${value.replication}`,
  ];
  if (value.shardDurationNs !== 0n) {
    clauses.push(`SHARD DURATION ${formatDuration(value.shardDurationNs)}`);
  }
  if (value.futureLimitNs !== 0n) clauses.push(`FUTURE LIMIT ${formatLimit(value.futureLimitNs)}`);
  if (value.pastLimitNs !== 0n) clauses.push(`PAST LIMIT ${formatLimit(value.pastLimitNs)}`);
  return clauses.join(' ');
}

function policyOn([database, policy]: PolicyObject['path']): string {
  return `${quoteIdentifier(policy)} ON ${quoteIdentifier(database)}`;
}

function subscriptionOn([database, policy, name]: ObjectOf<'subscription'>['path']): string {
  return `${quoteIdentifier(name)} ON ${quoteIdentifier(database)}.${quoteIdentifier(policy)}`;
}

/** A limit of 0 is off; INF is a word for durations of policies only. */
function formatLimit(nanoseconds: bigint): string {
  return nanoseconds === 0n ? '0s' : formatDuration(nanoseconds);
}
