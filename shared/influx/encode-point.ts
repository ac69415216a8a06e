// Points as line protocol, for what a gateway writes itself (SELECT ... INTO). What line protocol can't say is not written in
// another way: the caller is told.
import { MAX_TIME_NS, MIN_TIME_NS } from './group-time.js';
import { crashesInfluxd } from './scan/exact-key.js';
import { endsByItself } from './scan/line-end.js';
import { unescapeName, unescapeTag } from './scan/unescape.js';

/** A typed field value; floats are finite. */
export type FieldValue =
  | { readonly type: 'float'; readonly value: number }
  /** An int64. */
  | { readonly type: 'integer'; readonly value: bigint }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'boolean'; readonly value: boolean };

export interface Point {
  readonly measurement: string;
  /** Tags whose value is '' are none, as in InfluxQL, and left out. */
  readonly tags: ReadonlyMap<string, string>;
  /** At least one. */
  readonly fields: ReadonlyMap<string, FieldValue>;
  readonly timeNs: bigint;
}

/** Of series key, a separator of 4 bytes, and field key (models.MaxKeyLength). */
const MAX_KEY_LENGTH = 65_535;
const KEY_SEPARATOR_LENGTH = 4;
const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);

/**
 * One line without a newline, its time in nanoseconds, tags sorted by their bytes. Undefined for what influxd would not read back
 * as the same point: no fields or empty names, newlines or a last backslash in a name, NaN, numbers and times out of range, keys
 * that are too long.
 */
export function encodePoint(point: Point): Buffer | undefined {
  const { timeNs } = point;
  if (timeNs < MIN_TIME_NS || timeNs > MAX_TIME_NS) return undefined;
  const key = encodeKey(point);
  const fields = encodeFields(point.fields);
  if (key === undefined || fields === undefined) return undefined;
  const keyBytes = Buffer.byteLength(key) + KEY_SEPARATOR_LENGTH;
  if ([...fields.keys()].some((name) => keyBytes + Buffer.byteLength(name) > MAX_KEY_LENGTH)) {
    return undefined;
  }
  const values = [...fields].map(([name, value]) => `${name}=${value}`).join(',');
  const line = Buffer.from(`${key} ${values} ${timeNs.toString()}`);
  return endsByItself(line, 0, line.length) ? line : undefined;
}

function encodeKey({ measurement, tags }: Point): string | undefined {
  const name = escapeName(measurement);
  // A comment, or blanks that influxd skips.
  if (name === undefined || /^[#\t\0]/.test(name)) return undefined;
  const encoded: { readonly key: string; readonly tag: string }[] = [];
  for (const [tag, value] of tags) {
    if (value === '') continue;
    const key = escapeTag(tag);
    const escaped = escapeTag(value);
    if (key === undefined || escaped === undefined) return undefined;
    encoded.push({ key, tag: `${key}=${escaped}` });
  }
  encoded.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  // influxd crashes at certain numbers of tags.
  if (crashesInfluxd(encoded.length)) return undefined;
  return [name, ...encoded.map(({ tag }) => tag)].join(',');
}

function encodeFields(fields: Point['fields']): Map<string, string> | undefined {
  if (fields.size === 0) return undefined;
  const encoded = new Map<string, string>();
  for (const [field, value] of fields) {
    const name = escapeFieldKey(field);
    const text = encodeValue(value);
    if (name === undefined || text === undefined) return undefined;
    encoded.set(name, text);
  }
  return encoded;
}

/** As a value in line protocol; undefined where it has none. */
export function encodeValue(field: FieldValue): string | undefined {
  switch (field.type) {
    case 'float':
      if (!Number.isFinite(field.value)) return undefined;
      return Object.is(field.value, -0) ? '-0' : String(field.value);
    case 'integer': {
      const isInt64 = field.value >= MIN_INT64 && field.value <= MAX_INT64;
      return isInt64 ? `${field.value.toString()}i` : undefined;
    }
    case 'string':
      return `"${field.value.replace(/["\\]/g, '\\$&')}"`;
    case 'boolean':
      return String(field.value);
  }
}

function escapeName(text: string): string | undefined {
  return sayable(text, text.replace(/[, ]/g, '\\$&'), unescapeName);
}

function escapeTag(text: string): string | undefined {
  return sayable(text, text.replace(/[, =]/g, '\\$&'), unescapeTag);
}

function escapeFieldKey(text: string): string | undefined {
  // influxd skips blanks before the first field; and it takes two backslashes for one escape here, though not in tags.
  if (/^[\t\0]/.test(text) || /\\[, =]/.test(text)) return undefined;
  return sayable(text, text.replace(/[, =]/g, '\\$&'), unescapeName);
}

/** The escaped text where it stands for the text, does not end the line and escapes nothing behind it. */
function sayable(
  text: string,
  escaped: string,
  unescape: (escaped: string) => string,
): string | undefined {
  if (text === '' || text.includes('\n') || text.endsWith('\\')) return undefined;
  return unescape(escaped) === text ? escaped : undefined;
}
