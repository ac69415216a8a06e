// Where a line ends: at the first newline that is neither in a quoted field value nor behind a backslash. influxd decides
// that before it parses, and by simpler rules, so that the two can differ; both are kept here as they are.
import { BACKSLASH, COMMA, EQUALS, NEWLINE, QUOTE, SPACE } from './bytes.js';

/** How a scan of [start, end) went. */
interface Walk {
  readonly at: number;
  readonly isQuoted: boolean;
}

/** The newline that ends the line from `start`, or the length of the body. */
export function lineEnd(body: Uint8Array, start: number): number {
  return walk(body, start, body.length, body.length).at;
}

/**
 * Whether the line [start, end) still ends at `end` where something follows it: no quote is open there, no backslash takes
 * the newline away, and no newline in it ends it before.
 */
export function endsByItself(body: Uint8Array, start: number, end: number): boolean {
  // Two further bytes are there in every body but the last, so that every backslash counts.
  const { at, isQuoted } = walk(body, start, end, end + 2);
  return at === end && !isQuoted;
}

/** `lastEscape`: a backslash less than two bytes before that is an ordinary byte. */
function walk(body: Uint8Array, start: number, end: number, lastEscape: number): Walk {
  let at = start;
  let isQuoted = false;
  // A quote counts in a value alone: after a space, where more `=` than commas came.
  let hasFields = false;
  let equals = 0;
  let commas = 0;
  while (at < end) {
    const byte = body[at];
    if (byte === BACKSLASH && at + 2 < lastEscape) {
      at += 2;
      continue;
    }
    if (byte === SPACE) hasFields = true;
    if (hasFields && !isQuoted && byte === EQUALS) equals += 1;
    else if (hasFields && !isQuoted && byte === COMMA) commas += 1;
    else if (hasFields && byte === QUOTE && equals > commas) isQuoted = !isQuoted;
    else if (byte === NEWLINE && !isQuoted) break;
    at += 1;
  }
  return { at, isQuoted };
}
