// One whole line as influxd 1.6 parses it (models.parsePoint), for what the quick scan leaves: escapes in odd places, odd
// blanks, and every line with a fault. Beyond that it refuses lines that would change their meaning beside other lines, and
// lines with which influxd fails.
import { isUtf8 } from 'node:buffer';
import { skipBlanks } from './bytes.js';
import { exactFieldsEnd, walkFields } from './exact-fields.js';
import type { ExactKey } from './exact-key.js';
import { exactKey, MAX_KEY_LENGTH } from './exact-key.js';
import { exactTime } from './exact-time.js';
import { endsByItself } from './line-end.js';
import { ShapeHash } from './shape-hash.js';
import { measurementEnd } from './tags.js';

/** Between series and field in InfluxDB's stored keys: `#!~#`. */
const KEY_SEPARATOR_LENGTH = 4;

export interface ExactLine {
  readonly keyEnd: number;
  readonly isSorted: boolean;
  /** Behind the last byte that has to be kept. */
  readonly end: number;
  /** Undefined: the line has none. */
  readonly timeNs: bigint | undefined;
  readonly shape: number;
}

/** The line [start, end), its first byte not blank; or why it is none. */
export function exactLine(
  bytes: Buffer,
  start: number,
  end: number,
  unitNs: bigint,
): ExactLine | string {
  const key = exactKey(bytes, start, end);
  if (typeof key === 'string') return key;
  const fieldsStart = skipBlanks(bytes, key.end, end);
  const fieldsEnd = exactFieldsEnd(bytes, fieldsStart, end);
  if (typeof fieldsEnd === 'string') return fieldsEnd;
  const shape = shapeOf(bytes, start, key, fieldsStart, fieldsEnd);
  if (typeof shape === 'string') return shape;
  const timeNs = exactTime(bytes, fieldsEnd, end, unitNs);
  if (typeof timeNs === 'string') return timeNs;
  const keptEnd = timeNs === undefined ? fieldsEnd : end;
  if (!endsByItself(bytes, start, keptEnd)) {
    return 'a backslash or a quote in it makes the line run into what follows';
  }
  return { keyEnd: key.end, isSorted: key.isSorted, end: keptEnd, timeNs, shape };
}

/**
 * influxd keeps these names in a file of protobuf messages, and can't write it with such a name in it: the request fails with
 * 500, and after a restart so does every write to the shard (seen with 1.6.7 as Debian builds it). Tags and values may hold
 * any bytes.
 */
const NOT_UTF8 = 'the names of its measurement and fields have to be UTF-8';

function shapeOf(
  bytes: Buffer,
  start: number,
  key: ExactKey,
  fieldsStart: number,
  fieldsEnd: number,
): number | string {
  const hash = new ShapeHash();
  hash.measurement(bytes, start, key.end);
  let areUtf8 = isUtf8(bytes.subarray(start, measurementEnd(bytes, start, key.end)));
  let tooLong = 0;
  const fault = walkFields(bytes, fieldsStart, fieldsEnd, (keyStart, keyEnd, type) => {
    const length = key.end - start + KEY_SEPARATOR_LENGTH + keyEnd - keyStart;
    if (length > MAX_KEY_LENGTH && tooLong === 0) tooLong = length;
    areUtf8 &&= isUtf8(bytes.subarray(keyStart, keyEnd));
    hash.field(bytes, keyStart, keyEnd, type);
  });
  if (fault !== undefined) return fault;
  if (tooLong > 0) return `max key length exceeded: ${tooLong} > ${MAX_KEY_LENGTH}`;
  return areUtf8 ? hash.value : NOT_UTF8;
}
