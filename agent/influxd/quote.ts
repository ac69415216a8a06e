// How names and texts stand in an InfluxQL statement. What the grammar can't carry is refused, never mangled.
import { AppError } from '../../shared/errors/app-error.js';
import { DURATION_UNITS } from '../../shared/influx/influxql/duration.js';

/**
 * An identifier in double quotes. InfluxQL knows three escapes (`\"`, `\\`, `\n`); every other character stands for itself.
 * Throws AppError `name-invalid` for text that the scanner would cut or change (see `checkText`).
 */
export function quoteIdentifier(name: string): string {
  checkText(name, 'the name');
  return `"${escape(name, '"')}"`;
}

/** A string in single quotes, with the escapes `\'`, `\\` and `\n`. Throws as `quoteIdentifier` does. */
export function quoteString(text: string): string {
  checkText(text, 'the text');
  return `'${escape(text, "'")}'`;
}

/** Nanoseconds as a duration that influxd reads back exactly; 0 is INF, which a statement takes for "for ever". */
export function formatDuration(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return 'INF';
  for (const [unit, size] of DURATION_UNITS) {
    if (nanoseconds % size === 0n) return `${(nanoseconds / size).toString()}${unit}`;
  }
  return `${nanoseconds.toString()}ns`;
}

/** Max of a Go time.Duration: a longer one can't be in a meta.db. */
const MAX_NANOSECONDS = 9_223_372_036_854_775_807n;

/** True where a statement can carry this duration. */
export function isDuration(nanoseconds: bigint): boolean {
  return nanoseconds >= 0n && nanoseconds <= MAX_NANOSECONDS;
}

function escape(text: string, quote: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll(quote, `\\${quote}`);
}

/**
 * NUL ends the scanner's input, a carriage return is read as a newline, and a lone surrogate can't be sent as UTF-8.
 * U+FFFD is legal, but is also what a decoder puts where bytes were not UTF-8: it is passed as it is.
 */
function checkText(text: string, what: string): void {
  const reason = whyUnquotable(text);
  if (reason === undefined) return;
  throw new AppError(
    'name-invalid',
    `writing a statement for influxd: ${what} ${JSON.stringify(text)} ${reason}, which InfluxQL can't carry; rename the object`,
  );
}

/** Why a statement can't carry this text, as the end of a sentence; undefined where it can. */
export function whyUnquotable(text: string): string | undefined {
  if (text.includes('\0')) return 'has a NUL byte';
  if (text.includes('\r')) return 'has a carriage return';
  if (/\p{Surrogate}/u.test(text)) return 'is not well-formed Unicode';
  return undefined;
}
