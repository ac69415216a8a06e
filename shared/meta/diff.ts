// The difference of two schemas in words, for histories, `versions diff`, logs and dry runs. Never shows a hash.
import type { ObjectKey, ObjectKind, Schema, SchemaObject, ValueOf } from './model.js';
import { OBJECT_KINDS, PRIVILEGES, sameValue } from './model.js';

/** One difference. `before`/`after` are the values (see model.ts), masked, and absent where the object is absent. */
export interface Change {
  readonly kind: 'created' | 'dropped' | 'altered';
  readonly object: ObjectKind;
  readonly path: readonly string[];
  readonly before?: Readonly<Record<string, unknown>>;
  readonly after?: Readonly<Record<string, unknown>>;
  /** E.g. `retention policy telegraf.week: duration 168h → 72h`. */
  readonly text: string;
}

/** What stands for a secret: the same secret gives the same text, and the text does not give the secret. */
export type Mask = (secret: string) => string;

const HIDDEN: Mask = () => '(hidden)';

/** All differences, in the order of kind and path; children of a created or dropped database are listed too. */
export function diffSchemas(before: Schema, after: Schema, mask: Mask = HIDDEN): Change[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])];
  const changes: Change[] = [];
  for (const key of keys) {
    const change = diffObject(before.get(key), after.get(key), mask);
    if (change !== undefined) changes.push(change);
  }
  return changes.sort(byKindAndPath);
}

function diffObject(
  before: SchemaObject | undefined,
  after: SchemaObject | undefined,
  mask: Mask,
): Change | undefined {
  const object = after ?? before;
  if (object === undefined || sameValue(before?.value, after?.value)) return undefined;
  const kind = before === undefined ? 'created' : after === undefined ? 'dropped' : 'altered';
  const what = kind === 'altered' && before && after ? fieldChanges(before, after) : kind;
  return {
    kind,
    object: object.kind,
    path: [...object.path],
    ...(before === undefined ? {} : { before: shownValue(before, mask) }),
    ...(after === undefined ? {} : { after: shownValue(after, mask) }),
    text: `${describeObject(object)}: ${what}`,
  };
}

function byKindAndPath(a: Change, b: Change): number {
  const kinds = OBJECT_KINDS.indexOf(a.object) - OBJECT_KINDS.indexOf(b.object);
  if (kinds !== 0) return kinds;
  const [left, right] = [JSON.stringify(a.path), JSON.stringify(b.path)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The name of an object for people, e.g. `retention policy telegraf.week`, `READ of alice on telegraf`. */
export function describeObject({ kind, path }: Pick<SchemaObject, 'kind' | 'path'>): string {
  switch (kind) {
    case 'database':
      return `database ${path[0]}`;
    case 'policy':
      return `retention policy ${path.join('.')}`;
    case 'continuous-query':
      return `continuous query ${path.join('.')}`;
    case 'subscription':
      return `subscription ${path.join('.')}`;
    case 'user':
      return `user ${path[0]}`;
    case 'privilege':
      return `privilege of ${path[0]} on ${path[1] ?? ''}`;
  }
}

export function describeKey(key: ObjectKey): string {
  const [kind, ...path] = JSON.parse(key) as [ObjectKind, ...string[]];
  return describeObject({ kind, path } as unknown as SchemaObject);
}

/** A value as it may be shown: kebab-case names, durations as text, secrets masked. */
export function shownValue(object: SchemaObject, mask: Mask = HIDDEN): Record<string, unknown> {
  switch (object.kind) {
    case 'database':
      return { 'default-policy': object.value.defaultPolicy };
    case 'policy':
      return shownPolicy(object.value);
    case 'continuous-query':
      return { query: object.value.query };
    case 'subscription':
      return {
        mode: object.value.mode,
        destinations: object.value.destinations.map((url) => maskedUrl(url, mask)),
      };
    case 'user':
      return { password: mask(object.value.hash), admin: object.value.admin };
    case 'privilege':
      return { privilege: PRIVILEGES[object.value.level] };
  }
}

function shownPolicy(value: ValueOf['policy']): Record<string, unknown> {
  return {
    duration: formatDuration(value.durationNs),
    'shard-duration': formatDuration(value.shardDurationNs),
    replication: value.replication,
    ...(value.futureLimitNs === 0n ? {} : { 'future-limit': formatDuration(value.futureLimitNs) }),
    ...(value.pastLimitNs === 0n ? {} : { 'past-limit': formatDuration(value.pastLimitNs) }),
  };
}

function maskedUrl(url: string, mask: Mask): string {
  const match = /^([a-z]+:\/\/)([^/@]*)@(.*)$/i.exec(url);
  return match ? `${match[1] ?? ''}${mask(match[2] ?? '')}@${match[3] ?? ''}` : url;
}

function fieldChanges(before: SchemaObject, after: SchemaObject): string {
  const left = shownValue(before, (secret) => secret);
  const right = shownValue(after, (secret) => secret);
  const texts: string[] = [];
  for (const field of new Set([...Object.keys(left), ...Object.keys(right)])) {
    if (JSON.stringify(left[field]) === JSON.stringify(right[field])) continue;
    const isSecret = field === 'password' || field === 'destinations';
    const name = field.replaceAll('-', ' ');
    texts.push(
      isSecret ? `${name} changed` : `${name} ${show(left[field])} → ${show(right[field])}`,
    );
  }
  return texts.join(', ');
}

function show(value: unknown): string {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? (value === '' ? '(none)' : value) : JSON.stringify(value);
}

const UNITS: readonly (readonly [bigint, string])[] = [
  [3_600_000_000_000n, 'h'],
  [60_000_000_000n, 'm'],
  [1_000_000_000n, 's'],
  [1_000_000n, 'ms'],
  [1_000n, 'us'],
  [1n, 'ns'],
];

/** Nanoseconds in the largest unit that leaves no rest; 0, for ever, is `inf`. */
export function formatDuration(ns: bigint): string {
  if (ns === 0n) return 'inf';
  for (const [size, unit] of UNITS) if (ns % size === 0n) return `${ns / size}${unit}`;
  return `${ns}ns`;
}
