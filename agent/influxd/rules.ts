// influxd's own rules for metadata: which objects a statement can bring about, and what influxd makes of their values.
// Pure; each rule here was tried on a real server (the contract suite does so again).
import type { ObjectKind, ObjectOf, SchemaObject, ValueOf } from '../../shared/meta/model.js';
import { readQueryHead, isSingleStatement } from './continuous-query.js';
import { isDuration, whyUnquotable } from './quote.js';

const HOUR_NS = 3_600_000_000_000n;
const DAY_NS = 24n * HOUR_NS;
/** The shortest duration of a policy and of its shard groups (0, for ever, aside). */
export const MIN_DURATION_NS = HOUR_NS;
/** What the parser takes for REPLICATION. */
const MAX_REPLICATION = 2_147_483_647;
/** Of a database or policy. */
export const MAX_NAME_BYTES = 255;

/** What influxd stores when a policy is created or altered to this value: it fills in or raises the shard duration. */
export function normalisePolicy(value: ValueOf['policy']): ValueOf['policy'] {
  const { durationNs, shardDurationNs } = value;
  return { ...value, shardDurationNs: normalShardDuration(shardDurationNs, durationNs) };
}

function normalShardDuration(shardNs: bigint, durationNs: bigint): bigint {
  if (shardNs !== 0n) return shardNs < MIN_DURATION_NS ? MIN_DURATION_NS : shardNs;
  if (durationNs === 0n || durationNs >= 180n * DAY_NS) return 7n * DAY_NS;
  return durationNs >= 2n * DAY_NS ? DAY_NS : HOUR_NS;
}

const MAY_BE_EMPTY: ReadonlySet<ObjectKind> = new Set(['continuous-query', 'subscription']);

export interface RefusalOptions {
  /** As `ping` gives it; an unknown one counts as older than 1.12. */
  readonly serverVersion?: string | undefined;
}

/**
 * Why no statement can bring about this object as it is, as a sentence that names it; undefined where one can.
 * A user is always refused: statements take passwords, and the cluster has only the hash.
 */
export function refusalOf(object: SchemaObject, options: RefusalOptions = {}): string | undefined {
  const why = whyRefused(object, options);
  if (why === undefined) return undefined;
  return `${object.kind} ${object.path.map((name) => JSON.stringify(name)).join('.')}: ${why}`;
}

function whyRefused(object: SchemaObject, options: RefusalOptions): string | undefined {
  const unquotable = object.path.map(whyUnquotable).find((reason) => reason !== undefined);
  if (unquotable !== undefined) return `its name ${unquotable}`;
  // The names of continuous queries and subscriptions may be empty; their database and policy may not.
  const named = MAY_BE_EMPTY.has(object.kind) ? object.path.slice(0, -1) : object.path;
  if (named.includes('')) return 'its name is empty';
  switch (object.kind) {
    case 'database':
      if (object.value.defaultPolicy === '')
        return 'no statement leaves a database without a default policy';
      return whyBadName(object.path[0]);
    case 'policy':
      return whyBadName(object.path[1]) ?? whyBadPolicy(object.value, options);
    case 'continuous-query':
      return whyBadQuery(object);
    case 'subscription':
      return whyBadSubscription(object.value);
    case 'user':
      return "a password hash can't be set by a statement";
    case 'privilege':
      return undefined;
  }
}

/** Why influxd refuses this name for a database or a policy (they become directories); undefined where it takes it. */
export function whyBadName(name: string): string | undefined {
  if (Buffer.byteLength(name) > MAX_NAME_BYTES)
    return `its name is longer than ${MAX_NAME_BYTES} bytes`;
  if (name === '.' || name === '..') return 'influxd refuses this name';
  if (/[/\\]/.test(name)) return 'influxd refuses slashes and backslashes in its name';
  // Go's unicode.IsPrint, by which influxd judges: letters, marks, numbers, punctuation, symbols and the ASCII blank.
  if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u.test(name))
    return 'its name has characters that are not printable';
  return undefined;
}

function whyBadPolicy(value: ValueOf['policy'], options: RefusalOptions): string | undefined {
  const { durationNs, shardDurationNs, replication } = value;
  if (![durationNs, shardDurationNs, value.futureLimitNs, value.pastLimitNs].every(isDuration)) {
    return 'a duration is negative or too long';
  }
  if (durationNs !== 0n && durationNs < MIN_DURATION_NS)
    return 'influxd refuses a duration below 1h';
  if (normalisePolicy(value).shardDurationNs !== shardDurationNs) {
    return 'influxd replaces a shard duration below 1h by one of its own';
  }
  if (durationNs !== 0n && durationNs < shardDurationNs) {
    return 'influxd refuses a duration shorter than the shard duration';
  }
  if (!Number.isInteger(replication) || replication < 1 || replication > MAX_REPLICATION) {
    return `influxd takes a replication from 1 to ${MAX_REPLICATION} only`;
  }
  if (
    (value.futureLimitNs !== 0n || value.pastLimitNs !== 0n) &&
    !knowsLimits(options.serverVersion)
  ) {
    return 'write limits need InfluxDB 1.12 or later';
  }
  return undefined;
}

/** True for a server whose policies have write limits (1.12 and later). */
export function knowsLimits(serverVersion: string | undefined): boolean {
  const match = /^v?(\d+)\.(\d+)/.exec(serverVersion ?? '');
  if (!match) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major === 1 && minor >= 12;
}

/** The text comes from other nodes and is run as it is: it must be what it claims to be, and nothing else. */
function whyBadQuery({ path, value }: ObjectOf<'continuous-query'>): string | undefined {
  const head = readQueryHead(value.query);
  if (head === undefined) return 'its text is no CREATE CONTINUOUS QUERY statement';
  if (head.database !== path[0] || head.name !== path[1])
    return 'its text names another query or database';
  if (!isSingleStatement(value.query)) return 'its text may hold a second statement';
  return undefined;
}

function whyBadSubscription({ mode, destinations }: ValueOf['subscription']): string | undefined {
  if (mode !== 'ALL' && mode !== 'ANY')
    return `influxd knows no subscription mode ${JSON.stringify(mode)}`;
  if (destinations.length === 0) return 'it has no destination';
  const unquotable = destinations.map(whyUnquotable).find((reason) => reason !== undefined);
  return unquotable === undefined ? undefined : `a destination ${unquotable}`;
}
