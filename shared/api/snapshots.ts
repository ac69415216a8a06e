// The decoded form of a snapshot, for people and tools. Secrets never appear in it: a mask stands for each.
import { z } from 'zod';
import type { Mask } from '../meta/diff.js';
import { formatDuration, shownValue } from '../meta/diff.js';
import type { ObjectKind, Schema, SchemaObject } from '../meta/model.js';
import { PRIVILEGES } from '../meta/model.js';
import { incarnation, version } from './fields.js';

const duration = z.string().describe('e.g. `168h`; `inf`: for ever');

export const decodedSnapshotSchema = z
  .object({
    version,
    incarnation,
    databases: z.array(
      z.object({
        name: z.string(),
        'default-policy': z.string(),
        policies: z.array(
          z.object({
            name: z.string(),
            duration,
            'shard-duration': duration,
            replication: z.number().int(),
            'future-limit': duration.optional(),
            'past-limit': duration.optional(),
          }),
        ),
        'continuous-queries': z.array(z.object({ name: z.string(), query: z.string() })),
        subscriptions: z.array(
          z.object({
            policy: z.string(),
            name: z.string(),
            mode: z.string(),
            destinations: z.array(z.string()).describe('user info in a URL is masked'),
          }),
        ),
      }),
    ),
    users: z.array(
      z.object({
        name: z.string(),
        admin: z.boolean(),
        password: z.string().describe('a short keyed digest that stands for the hash'),
        privileges: z.record(z.string(), z.enum(['READ', 'WRITE', 'ALL'])),
      }),
    ),
  })
  .meta({ id: 'DecodedSnapshot' });
export type DecodedSnapshot = z.infer<typeof decodedSnapshotSchema>;

/** The decoded form of a schema. `mask` gives what stands for a password hash or a URL's user info. */
export function decodedSnapshot(
  tag: { readonly version: number; readonly incarnation: string },
  schema: Schema,
  mask: Mask,
): DecodedSnapshot {
  const objects = groupByOwner(schema);
  const of = <K extends ObjectKind>(kind: K, owner: string) =>
    (objects.get(`${kind} ${owner}`) ?? []) as Extract<SchemaObject, { kind: K }>[];
  return {
    version: tag.version,
    incarnation: tag.incarnation,
    databases: of('database', '').map(({ path: [database], value }) => ({
      name: database,
      'default-policy': value.defaultPolicy,
      policies: of('policy', database).map(decodedPolicy),
      'continuous-queries': of('continuous-query', database).map((query) => ({
        name: query.path[1],
        query: query.value.query,
      })),
      subscriptions: of('subscription', database).map((subscription) => ({
        policy: subscription.path[1],
        name: subscription.path[2],
        mode: subscription.value.mode,
        destinations: shownValue(subscription, mask)['destinations'] as string[],
      })),
    })),
    users: of('user', '').map(({ path: [user], value }) => ({
      name: user,
      admin: value.admin,
      password: mask(value.hash),
      privileges: Object.fromEntries(
        of('privilege', user).map(({ path, value: { level } }) => [path[1], PRIVILEGES[level]]),
      ),
    })),
  };
}

type DecodedPolicy = DecodedSnapshot['databases'][number]['policies'][number];

function decodedPolicy({ path, value }: Extract<SchemaObject, { kind: 'policy' }>): DecodedPolicy {
  return {
    name: path[1],
    duration: formatDuration(value.durationNs),
    'shard-duration': formatDuration(value.shardDurationNs),
    replication: value.replication,
    ...(value.futureLimitNs === 0n ? {} : { 'future-limit': formatDuration(value.futureLimitNs) }),
    ...(value.pastLimitNs === 0n ? {} : { 'past-limit': formatDuration(value.pastLimitNs) }),
  };
}

/** Objects under kind and first name of their path (none for databases and users), so that decoding is linear. */
function groupByOwner(schema: Schema): Map<string, SchemaObject[]> {
  const groups = new Map<string, SchemaObject[]>();
  for (const object of schema.values()) {
    const owner = object.kind === 'database' || object.kind === 'user' ? '' : object.path[0];
    const key = `${object.kind} ${owner}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [object]);
    else group.push(object);
  }
  return groups;
}
