// Builds a body out of lines of a scanned one: all, or some of them. The bytes stay as the client wrote them; lines without a
// time get the request's, so that every server stores the same point, however late it gets it.
import { NEWLINE } from './bytes.js';
import type { ScannedLines } from './scanned-lines.js';
import { NS_PER_UNIT } from '../precision.js';

/**
 * The given lines (ascending; undefined: all), separated by newlines, times in the precision of the scan. The scanned body itself
 * where it is exactly that.
 */
export function selectLines(lines: ScannedLines, indexes?: ArrayLike<number>): Buffer {
  const { body } = lines;
  const count = indexes?.length ?? lines.points;
  const stamp = stampOf(lines);
  const built = Buffer.allocUnsafe(roomFor(lines, indexes, stamp.length));
  let length = 0;
  let at = 0;
  while (at < count) {
    const first = indexes ? (indexes[at] as number) : at;
    const last = endOfRun(lines, indexes, at, count);
    at += last - first + 1;
    const start = lines.starts[first] as number;
    const end = lines.ends[last] as number;
    if (start === 0 && at === count && isWhole(lines, last)) return body;
    length += body.copy(built, length, start, end);
    if (!lines.hasTime(last)) length += stamp.copy(built, length);
    built[length] = NEWLINE;
    length += 1;
  }
  // The last newline is not needed.
  return built.subarray(0, Math.max(length - 1, 0));
}

/** The last line of those that stand side by side in both lists, of which all but the last have a time. */
function endOfRun(
  lines: ScannedLines,
  indexes: ArrayLike<number> | undefined,
  from: number,
  count: number,
): number {
  let line = indexes ? (indexes[from] as number) : from;
  for (let at = from + 1; at < count; at += 1) {
    const next = indexes ? (indexes[at] as number) : at;
    const isBeside = next === line + 1 && lines.starts[next] === (lines.ends[line] as number) + 1;
    if (!isBeside || !lines.hasTime(line)) break;
    line = next;
  }
  return line;
}

/** Whether nothing but a newline stands behind the line. */
function isWhole(lines: ScannedLines, line: number): boolean {
  const end = lines.ends[line] as number;
  return lines.hasTime(line) && end + 1 >= lines.body.length;
}

/** What is put behind a line without a time. */
function stampOf(lines: ScannedLines): Buffer {
  return Buffer.from(` ${(lines.defaultTimeNs / NS_PER_UNIT[lines.precision]).toString()}`);
}

/** Enough for the lines with a newline and a stamp each. */
function roomFor(
  lines: ScannedLines,
  indexes: ArrayLike<number> | undefined,
  stampBytes: number,
): number {
  const count = indexes?.length ?? lines.points;
  let bytes = 0;
  for (let at = 0; at < count; at += 1) {
    const line = indexes ? (indexes[at] as number) : at;
    bytes += (lines.ends[line] as number) - (lines.starts[line] as number) + 1;
    if (!lines.hasTime(line)) bytes += stampBytes;
  }
  return bytes;
}
