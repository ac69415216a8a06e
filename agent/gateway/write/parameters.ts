// What a write asks for: database, policy, precision and level, from the URL alone, as influxd takes them; for /write, and
// for /api/v2/write, which puts database and policy into one word.
import type { Precision } from '../../../shared/influx/precision.js';
import { parsePrecision } from '../../../shared/influx/precision.js';
import type { GatewayError } from '../errors.js';
import { badRequest } from './verdict.js';

export interface WriteParameters {
  readonly database: string;
  /** '' : the database's default. */
  readonly policy: string;
  readonly precision: Precision;
  /** Judged only after the lines, as in influxd. */
  readonly level: string | null;
}

export type ReadParameters = WriteParameters | { readonly fault: GatewayError };

/** influxd 1.6 takes an unknown precision for nanoseconds, and stores points in 1970; later ones refuse, as we do. */
export function writeParameters(query: URLSearchParams): ReadParameters {
  const text = query.get('precision') ?? '';
  const precision = parsePrecision(text);
  if (precision === undefined) {
    return {
      fault: badRequest(`invalid precision ${JSON.stringify(text)} (use n, u, ms, s, m or h)`),
    };
  }
  const database = query.get('db') ?? '';
  if (database === '') return { fault: badRequest('database is required') };
  return { database, policy: query.get('rp') ?? '', precision, level: query.get('consistency') };
}

/** `bucket` is `database/policy` or `database`. The level may be asked for as in /write. */
export function v2WriteParameters(query: URLSearchParams): ReadParameters {
  const text = query.get('precision') ?? '';
  const precision = V2_PRECISIONS.get(text);
  if (precision === undefined) {
    return {
      fault: badRequest(`invalid precision ${JSON.stringify(text)} (use ns, us, ms or s)`),
    };
  }
  const bucket = query.get('bucket') ?? '';
  const slash = bucket.indexOf('/');
  const database = slash < 0 ? bucket : bucket.slice(0, slash);
  if (database === '') {
    const why =
      slash < 0
        ? 'is missing a slash; not in "database/retention-policy" format'
        : 'is in db/rp form but has an empty database';
    const error = `bucket name ${JSON.stringify(bucket)} ${why}`;
    return { fault: { status: 404, code: 'bucket-invalid', error } };
  }
  const policy = slash < 0 ? '' : bucket.slice(slash + 1);
  return { database, policy, precision, level: query.get('consistency') };
}

const V2_PRECISIONS: ReadonlyMap<string, Precision> = new Map([
  ['', 'n'],
  ['ns', 'n'],
  ['us', 'u'],
  ['ms', 'ms'],
  ['s', 's'],
]);
