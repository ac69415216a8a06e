// The schema of a cluster as a flat map of named objects: what is merged, compared, marked and applied. Shard groups,
// ids, Term and Index are node-local and are not here (see lineage.ts).

/** What a cluster shares, one kind per thing that a statement creates or drops by itself. */
export type ObjectKind =
  'database' | 'policy' | 'continuous-query' | 'subscription' | 'user' | 'privilege';

/** All kinds, each after those whose drop takes it along. */
export const OBJECT_KINDS = [
  'database',
  'policy',
  'continuous-query',
  'subscription',
  'user',
  'privilege',
] as const satisfies readonly ObjectKind[];

/** Privilege numbers as meta.db has them (influxql.Privilege); 0, none, is the same as no privilege and is left out. */
export const PRIVILEGES = { 1: 'READ', 2: 'WRITE', 3: 'ALL' } as const;
export type PrivilegeLevel = keyof typeof PRIVILEGES;

/** The fields of each kind. Durations are nanoseconds (0: for ever) and their names end in `Ns`. */
export interface ValueOf {
  database: {
    /** Name of the default retention policy; may be empty or name a policy that is gone. */
    readonly defaultPolicy: string;
  };
  policy: {
    readonly durationNs: bigint;
    readonly shardDurationNs: bigint;
    readonly replication: number;
    /** InfluxDB 1.12 and later; 0 is off, and older servers have none. */
    readonly futureLimitNs: bigint;
    readonly pastLimitNs: bigint;
  };
  'continuous-query': {
    /** The whole CREATE statement, in the normal form that influxd stores. */
    readonly query: string;
  };
  subscription: { readonly mode: string; readonly destinations: readonly string[] };
  user: { readonly hash: string; readonly admin: boolean };
  privilege: { readonly level: PrivilegeLevel };
}

/** The names that lead to an object, outermost first. */
export interface PathOf {
  database: readonly [database: string];
  policy: readonly [database: string, policy: string];
  'continuous-query': readonly [database: string, name: string];
  subscription: readonly [database: string, policy: string, name: string];
  user: readonly [user: string];
  privilege: readonly [user: string, database: string];
}

export interface ObjectOf<K extends ObjectKind> {
  readonly kind: K;
  readonly path: PathOf[K];
  readonly value: ValueOf[K];
}

/** One object of the schema. */
export type SchemaObject = { [K in ObjectKind]: ObjectOf<K> }[ObjectKind];

declare const keyBrand: unique symbol;
/** Text that names one object: kind and path as a JSON array, e.g. `["policy","telegraf","week"]`. */
export type ObjectKey = string & { readonly [keyBrand]: true };

/** A schema: every object under its key. Order has no meaning. */
export type Schema = ReadonlyMap<ObjectKey, SchemaObject>;

/** The name of an object without its value. */
export type ObjectName = {
  [K in ObjectKind]: { readonly kind: K; readonly path: PathOf[K] };
}[ObjectKind];

export function keyOf(object: ObjectName): ObjectKey {
  return JSON.stringify([object.kind, ...object.path]) as ObjectKey;
}

/** The inverse of `keyOf`. */
export function nameOf(key: ObjectKey): ObjectName {
  const [kind, ...path] = JSON.parse(key) as [ObjectKind, ...string[]];
  return { kind, path } as unknown as ObjectName;
}

/** A schema from a list of objects (a later one with the same key wins). */
export function schemaOf(objects: Iterable<SchemaObject>): Map<ObjectKey, SchemaObject> {
  const schema = new Map<ObjectKey, SchemaObject>();
  for (const object of objects) schema.set(keyOf(object), object);
  return schema;
}

/** The database that an object lies in or speaks of; undefined for users. */
export function databaseOf(name: ObjectName): string | undefined {
  if (name.kind === 'user') return undefined;
  return name.kind === 'privilege' ? name.path[1] : name.path[0];
}

/**
 * The objects whose drop takes this one along: the database of a policy or continuous query, database and policy of a
 * subscription, user and database of a privilege.
 */
export function parentsOf(name: ObjectName): ObjectKey[] {
  switch (name.kind) {
    case 'database':
    case 'user':
      return [];
    case 'policy':
    case 'continuous-query':
      return [keyOf({ kind: 'database', path: [name.path[0]] })];
    case 'subscription':
      return [
        keyOf({ kind: 'database', path: [name.path[0]] }),
        keyOf({ kind: 'policy', path: [name.path[0], name.path[1]] }),
      ];
    case 'privilege':
      return [
        keyOf({ kind: 'user', path: [name.path[0]] }),
        keyOf({ kind: 'database', path: [name.path[1]] }),
      ];
  }
}

/** A value as text in which equal values are equal: fields sorted by name, nanoseconds as decimal text. */
export function encodeValue(value: object): string {
  const fields = Object.entries(value as Record<string, unknown>).sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  return JSON.stringify(
    fields.map(([name, field]) => [name, typeof field === 'bigint' ? field.toString() : field]),
  );
}

export function sameValue(a: object | undefined, b: object | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  const [left, right] = [a, b] as Record<string, unknown>[];
  return names.every((name) => Object.hasOwn(b, name) && sameField(left?.[name], right?.[name]));
}

/** Fields are texts, numbers and flags, or a list of texts. */
function sameField(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'object' && JSON.stringify(a) === JSON.stringify(b));
}

export function sameSchema(a: Schema, b: Schema): boolean {
  if (a.size !== b.size) return false;
  for (const [key, object] of a) if (!sameValue(object.value, b.get(key)?.value)) return false;
  return true;
}

/** An object as plain JSON data (nanoseconds as decimal text), for state files and wire. */
export function objectToJson(object: SchemaObject): unknown {
  const value: Record<string, unknown> = Object.fromEntries(
    Object.entries(object.value as Record<string, unknown>).map(([name, field]) => [
      name,
      typeof field === 'bigint' ? field.toString() : field,
    ]),
  );
  return { kind: object.kind, path: object.path, value };
}

/** The inverse of `objectToJson`; the data is one of ours, so only its form is rebuilt. */
export function objectFromJson(json: unknown): SchemaObject {
  const { kind, path, value } = json as { kind: ObjectKind; path: string[]; value: object };
  const fields = Object.entries(value as Record<string, unknown>).map(([name, field]) => [
    name,
    name.endsWith('Ns') ? BigInt(field as string) : field,
  ]);
  const rebuilt: unknown = Object.fromEntries(fields);
  return { kind, path, value: rebuilt } as unknown as SchemaObject;
}
