// The fields of one line as influxd 1.6 scans them (models.scanFields, walkFields), fault by fault. It looks at them twice, with
// rules that differ in odd lines; both looks are here, because a line has to pass both.
import { BACKSLASH, COMMA, EQUALS, findUnescaped, QUOTE, SPACE } from './bytes.js';
import { goText } from './go-text.js';
import { beginsNumber, INVALID_BOOLEAN, isBooleanText, numberFault } from './numbers.js';

/** Types of values, as numbers that go into a line's shape. */
export const FLOAT = 1;
export const INTEGER = 2;
export const STRING = 3;
export const BOOLEAN = 4;

/** Behind the last byte of the fields of the line that begin at `start`; or what is wrong with them. */
export function exactFieldsEnd(bytes: Buffer, start: number, end: number): number | string {
  let at = start;
  let isQuoted = false;
  let equals = 0;
  let commas = 0;
  while (at < end) {
    const byte = bytes[at];
    if (byte === BACKSLASH && at + 1 < end) {
      at += 2;
      continue;
    }
    if (byte === QUOTE && equals > commas) {
      isQuoted = !isQuoted;
      at += 1;
      continue;
    }
    if (byte === EQUALS && !isQuoted) {
      equals += 1;
      const valueEnd = exactValueEnd(bytes, at, end);
      if (typeof valueEnd === 'string') return valueEnd;
      // A quoted value is not scanned there, but by the quotes above.
      if (valueEnd > at + 1) {
        at = valueEnd;
        continue;
      }
    }
    if (byte === COMMA && !isQuoted) commas += 1;
    if (byte === SPACE && !isQuoted) break;
    at += 1;
  }
  if (isQuoted) return 'unbalanced quotes';
  // As many values as there are parts between commas.
  if (equals === 0 || commas !== equals - 1) return 'invalid field format';
  return Math.min(at, end);
}

/** Behind the number or boolean after the `=` at `equals`; `equals + 1` for a quoted value; or what is wrong with it. */
function exactValueEnd(bytes: Buffer, equals: number, end: number): number | string {
  const before = bytes[equals - 1];
  if ((before === SPACE || before === COMMA) && bytes[equals - 2] !== BACKSLASH) {
    return 'missing field key';
  }
  const start = equals + 1;
  const first = bytes[start];
  if (start >= end || first === COMMA || first === SPACE) return 'missing field value';
  if (first === QUOTE) return start;
  let at = start;
  while (at < end && bytes[at] !== COMMA && bytes[at] !== SPACE) at += 1;
  const text = bytes.toString('latin1', start, at);
  if (beginsNumber(first)) return numberFault(text) ?? at;
  return isBooleanText(text) ? at : INVALID_BOOLEAN;
}

/** Called with each field: the raw bytes of its key, and the type of its value. */
export type FieldVisitor = (keyStart: number, keyEnd: number, type: number) => void;

/** Visits the fields in [start, end) as influxd does when it stores them; returns what is wrong with them. */
export function walkFields(
  bytes: Buffer,
  start: number,
  end: number,
  visit: FieldVisitor,
): string | undefined {
  let at = start;
  while (at < end) {
    const keyEnd = findUnescaped(bytes, at, end, EQUALS);
    if (keyEnd > end - 2) return `invalid value: field-key=${goText(bytes.subarray(at, keyEnd))}`;
    const valueEnd = fieldValueEnd(bytes, keyEnd + 1, end);
    const type = storedType(bytes.toString('latin1', keyEnd + 1, valueEnd));
    if (type === undefined) {
      return `field ${goText(bytes.subarray(at, keyEnd))} has a value with which InfluxDB 1.x fails`;
    }
    visit(at, keyEnd, type);
    at = valueEnd + 1;
  }
  return undefined;
}

/** Of the value at `start`: at a comma outside of quotes. Only a quote and a backslash can be escaped here. */
function fieldValueEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let isQuoted = false;
  while (at < end) {
    const byte = bytes[at];
    const next = bytes[at + 1];
    if (byte === BACKSLASH && at + 1 < end && (next === QUOTE || next === BACKSLASH)) {
      at += 2;
      continue;
    }
    if (byte === QUOTE) isQuoted = !isQuoted;
    else if (byte === COMMA && !isQuoted) break;
    at += 1;
  }
  return at;
}

/**
 * The type as which a value is stored; undefined where influxd would notice only then that it is none: it fails the whole
 * request with 500, again and again.
 */
function storedType(value: string): number | undefined {
  // The shortest text is an opening and a closing quote.
  if (value.startsWith('"')) return value.length < 2 ? undefined : STRING;
  if (isBooleanText(value)) return BOOLEAN;
  if (value === '' || !beginsNumber(value.charCodeAt(0)) || numberFault(value) !== undefined) {
    return undefined;
  }
  return value.endsWith('i') ? INTEGER : FLOAT;
}
