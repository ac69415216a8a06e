// The numbers and booleans of field values, as influxd 1.6 takes them: what it refuses is refused here with its own words.
import { DOT, isDigit, MINUS } from './bytes.js';

const INVALID_NUMBER = 'invalid number';
const INVALID_FLOAT = 'invalid float';
export const INVALID_BOOLEAN = 'invalid boolean';

const UPPER_N = 0x4e;
const LOWER_N = 0x6e;

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);

/** Of the largest int64. influxd reads an integer of this length or more, to see whether it fits; a shorter one always does. */
const INT64_DIGITS = 19;
/** From this length on, or with an exponent, it reads a float. */
const LONG_FLOAT = 25;

const BOOLEANS: ReadonlySet<string> = new Set([
  't',
  'T',
  'true',
  'True',
  'TRUE',
  'f',
  'F',
  'false',
  'False',
  'FALSE',
]);

const FLOAT = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
/** What influxd lets pass before it looks closer: a sign at the front or after an e. */
const FLOAT_BYTES = /^-?(?:[\d.eE]|(?<=[eE])[+-])*$/;

export function isBooleanText(text: string): boolean {
  return BOOLEANS.has(text);
}

/** Why a value that begins like a number is none; undefined: it is one. */
export function numberFault(text: string): string | undefined {
  if (text.endsWith('i')) return integerFault(text.slice(0, -1));
  if (!FLOAT_BYTES.test(text)) return INVALID_NUMBER;
  const dots = text.split('.').length - 1;
  const others = text.length - dots - (text.startsWith('-') ? 1 : 0);
  if (dots > 1 || others === 0) return INVALID_NUMBER;
  const isRead = /[eE]/.test(text) || text.length >= LONG_FLOAT;
  return isRead && !isFloatText(text) ? INVALID_FLOAT : undefined;
}

function isFloatText(text: string): boolean {
  return FLOAT.test(text) && Number.isFinite(Number(text));
}

function integerFault(digits: string): string | undefined {
  if (!/^-?\d+$/.test(digits)) return INVALID_NUMBER;
  if (digits.length < INT64_DIGITS || int64Of(digits) !== undefined) return undefined;
  return `unable to parse integer ${digits}: ${outOfRange(digits)}`;
}

/** The number of a decimal text; undefined where no int64 holds it. */
export function int64Of(digits: string): bigint | undefined {
  // Reading a number of a million digits would take seconds.
  if (digits.replace(/^-?0*/, '').length > INT64_DIGITS) return undefined;
  const value = BigInt(digits);
  return value < MIN_INT64 || value > MAX_INT64 ? undefined : value;
}

/** What Go's strconv says. */
export function outOfRange(digits: string): string {
  return `strconv.ParseInt: parsing "${digits}": value out of range`;
}

export function badSyntax(digits: string): string {
  return `strconv.ParseInt: parsing "${digits}": invalid syntax`;
}

/** Whether a value that begins with this byte is scanned as a number; `N` and `n`, of NaN, are refused as such. */
export function beginsNumber(byte: number | undefined): boolean {
  return isDigit(byte) || byte === MINUS || byte === DOT || byte === UPPER_N || byte === LOWER_N;
}
