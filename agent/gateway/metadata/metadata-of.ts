// From the schema with its marks to what the data plane looks up by name. Pure.
import type { Base } from '../../sync/base.js';
import type { ObjectKey, ObjectOf, Schema, SchemaObject } from '../../../shared/meta/model.js';
import { keyOf, PRIVILEGES } from '../../../shared/meta/model.js';
import type { DatabaseInfo, Metadata, PolicyInfo, Privilege, UserInfo } from './port.js';

export const NO_METADATA: Metadata = { version: 0, databases: new Map(), users: new Map() };

/** One version of the cluster's schema; `markOf` gives the marks of databases and policies. */
export function metadataOf(
  version: number,
  objects: Iterable<SchemaObject>,
  markOf: (key: ObjectKey) => number,
): Metadata {
  const databases = new Map<string, DatabaseInfo>();
  const policies = new Map<string, Map<string, PolicyInfo>>();
  const users = new Map<string, UserInfo>();
  const privileges = new Map<string, Map<string, Privilege>>();
  for (const object of objects) {
    if (object.kind === 'database') {
      const [name] = object.path;
      const { defaultPolicy } = object.value;
      const mark = markOf(keyOf(object));
      databases.set(name, { name, defaultPolicy, mark, policies: belowOf(policies, name) });
    } else if (object.kind === 'policy') {
      belowOf(policies, object.path[0]).set(object.path[1], policyOf(object, markOf));
    } else if (object.kind === 'user') {
      const [name] = object.path;
      const { hash, admin: isAdmin } = object.value;
      users.set(name, { name, hash, isAdmin, privileges: belowOf(privileges, name) });
    } else if (object.kind === 'privilege') {
      const [user, database] = object.path;
      belowOf(privileges, user).set(database, PRIVILEGES[object.value.level]);
    }
  }
  return { version, databases, users };
}

/** What the cluster had when this node was last in line with it: what is known before a manager has answered. */
export function metadataOfBase({ tag, entries }: Base): Metadata {
  if (tag === undefined) return NO_METADATA;
  const marks = new Map<ObjectKey, number>();
  const objects: SchemaObject[] = [];
  for (const [key, { remote }] of entries) {
    if (remote === undefined) continue;
    marks.set(key, remote.mark);
    objects.push(remote.object);
  }
  return metadataOf(tag.version, objects, (key) => marks.get(key) ?? 0);
}

/** The hash that a server has for a user; undefined where it has none. */
export function hashOf(schema: Schema, user: string): string | undefined {
  const object = schema.get(keyOf({ kind: 'user', path: [user] }));
  return object?.kind === 'user' ? object.value.hash : undefined;
}

function policyOf(policy: ObjectOf<'policy'>, markOf: (key: ObjectKey) => number): PolicyInfo {
  const { durationNs, shardDurationNs, replication } = policy.value;
  const mark = markOf(keyOf(policy));
  return { name: policy.path[1], durationNs, shardDurationNs, replication, mark };
}

function belowOf<T>(all: Map<string, Map<string, T>>, name: string): Map<string, T> {
  const known = all.get(name);
  if (known !== undefined) return known;
  const made = new Map<string, T>();
  all.set(name, made);
  return made;
}
