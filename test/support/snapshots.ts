// Snapshots for tests: bytes of a meta.Data message with a few databases, as an agent pushes them.
import { decodeSnapshot, encodeSnapshot } from '../../shared/meta/codec.js';
import { schemaOf, type SchemaObject } from '../../shared/meta/model.js';
import { emptyData, readSchema, writeSchema } from '../../shared/meta/snapshot.js';

const HOUR_NS = 3_600_000_000_000n;

export function database(name: string, defaultPolicy = 'autogen'): SchemaObject {
  return { kind: 'database', path: [name], value: { defaultPolicy } };
}

export function policy(databaseName: string, name: string, hours = 168): SchemaObject {
  return {
    kind: 'policy',
    path: [databaseName, name],
    value: {
      durationNs: BigInt(hours) * HOUR_NS,
      shardDurationNs: HOUR_NS,
      replication: 1,
      futureLimitNs: 0n,
      pastLimitNs: 0n,
    },
  };
}

export function user(name: string, hash = '$2a$10$abcdefghijklmnopqrstuv'): SchemaObject {
  return { kind: 'user', path: [name], value: { hash, admin: false } };
}

/** The bytes of a snapshot with these objects. */
export function snapshotOf(...objects: SchemaObject[]): Buffer {
  return Buffer.from(encodeSnapshot(writeSchema(emptyData(), schemaOf(objects))));
}

/** The bytes of a snapshot with databases of these names, each with its default policy. */
export function snapshotWith(...names: string[]): Buffer {
  return snapshotOf(...names.flatMap((name) => [database(name), policy(name, 'autogen')]));
}

/** A snapshot of another system, which names a node by its id. */
export function snapshotNamingNode(id: number): Buffer {
  const data = emptyData();
  data.MaxNodeID = BigInt(id);
  return Buffer.from(encodeSnapshot(data));
}

/** The same snapshot with one more database, and its default policy. */
export function withDatabase(snapshot: Uint8Array, name: string): Buffer {
  const data = decodeSnapshot(snapshot);
  const more = schemaOf([database(name), policy(name, 'autogen')]);
  return Buffer.from(encodeSnapshot(writeSchema(data, new Map([...readSchema(data), ...more]))));
}
