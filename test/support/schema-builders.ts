// Short ways to write schema objects in tests, and arbitraries of whole schemas for properties.
import fc from 'fast-check';
import type { ObjectOf, SchemaObject } from '../../shared/meta/model.js';
import { schemaOf } from '../../shared/meta/model.js';

const HOUR_NS = 3_600_000_000_000n;

export function database(name: string, defaultPolicy = 'autogen'): ObjectOf<'database'> {
  return { kind: 'database', path: [name], value: { defaultPolicy } };
}

export function policy(
  inDatabase: string,
  name: string,
  fields: {
    readonly hours?: number;
    readonly shardHours?: number;
    readonly replication?: number;
  } = {},
): ObjectOf<'policy'> {
  return {
    kind: 'policy',
    path: [inDatabase, name],
    value: {
      durationNs: BigInt(fields.hours ?? 0) * HOUR_NS,
      shardDurationNs: BigInt(fields.shardHours ?? 168) * HOUR_NS,
      replication: fields.replication ?? 1,
      futureLimitNs: 0n,
      pastLimitNs: 0n,
    },
  };
}

export function query(
  inDatabase: string,
  name: string,
  text: string,
): ObjectOf<'continuous-query'> {
  return { kind: 'continuous-query', path: [inDatabase, name], value: { query: text } };
}

export function subscription(
  path: readonly [string, string, string],
  ...destinations: string[]
): ObjectOf<'subscription'> {
  return { kind: 'subscription', path, value: { mode: 'ALL', destinations } };
}

export function user(name: string, hash = `$2a$10$${name}`, admin = false): ObjectOf<'user'> {
  return { kind: 'user', path: [name], value: { hash, admin } };
}

export function privilege(name: string, on: string, level: 1 | 2 | 3): ObjectOf<'privilege'> {
  return { kind: 'privilege', path: [name, on], value: { level } };
}

const name = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'x y', 'ü', '"q"', 'select'),
  fc.string({ minLength: 1, maxLength: 12 }),
);
const duration = fc.bigInt({ min: 0n, max: 2n ** 62n });

/** Any schema in which children have their parents. */
export const anySchema = fc
  .record({
    databases: fc.uniqueArray(name, { maxLength: 4 }),
    users: fc.uniqueArray(name, { maxLength: 3 }),
    parts: fc.array(fc.tuple(fc.nat(99), name, duration, duration, fc.nat(4), fc.string()), {
      maxLength: 12,
    }),
  })
  .map(({ databases, users, parts }) => {
    const objects: SchemaObject[] = databases.map((each) => database(each));
    objects.push(...users.map((each) => user(each)));
    for (const part of parts) objects.push(...partOf(databases, users, part));
    return schemaOf(objects);
  });

function partOf(
  databases: readonly string[],
  users: readonly string[],
  [index, part, a, b, kind, text]: [number, string, bigint, bigint, number, string],
): SchemaObject[] {
  const owner = databases[index % Math.max(1, databases.length)];
  const person = users[index % Math.max(1, users.length)];
  if (owner === undefined) return [];
  const inPolicy = policy(owner, part);
  const limits = { futureLimitNs: a % 7n, pastLimitNs: b % 5n };
  const value = { ...inPolicy.value, durationNs: a, shardDurationNs: b, ...limits };
  switch (kind) {
    case 0:
    case 1:
      return [{ ...inPolicy, value }];
    case 2:
      return [query(owner, part, text)];
    case 3:
      return [inPolicy, subscription([owner, part, `s${index}`], text, 'udp://h:1')];
    default:
      return person === undefined ? [] : [privilege(person, owner, ((index % 3) + 1) as 1 | 2 | 3)];
  }
}
