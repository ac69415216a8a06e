// The time of one line as influxd 1.6 scans it (models.scanTime, SafeCalcTime), fault by fault.
import { MAX_TIME_NS, MIN_TIME_NS } from '../group-time.js';
import { isDigit, MINUS, NEWLINE, skipBlanks, SPACE } from './bytes.js';
import { badSyntax, int64Of, outOfRange } from './numbers.js';

const OUT_OF_RANGE = `time outside range ${MIN_TIME_NS.toString()} - ${MAX_TIME_NS.toString()}`;

/** The time behind the fields of the line [, end) that end at `start`; undefined: it has none; or what is wrong with it. */
export function exactTime(
  bytes: Buffer,
  start: number,
  end: number,
  unitNs: bigint,
): bigint | string | undefined {
  const first = skipBlanks(bytes, start, end);
  let at = first;
  if (at < end && bytes[at] === MINUS) at += 1;
  while (at < end && isDigit(bytes[at])) at += 1;
  if (at < end && bytes[at] !== NEWLINE && bytes[at] !== SPACE) return 'bad timestamp';
  if (at === first) return undefined;
  const digits = bytes.toString('latin1', first, at);
  if (digits === '-') return badSyntax(digits);
  const count = int64Of(digits);
  if (count === undefined) return outOfRange(digits);
  const timeNs = count * unitNs;
  if (timeNs < MIN_TIME_NS || timeNs > MAX_TIME_NS) return OUT_OF_RANGE;
  while (at < end && bytes[at] === SPACE) at += 1;
  return at < end ? 'point is invalid' : timeNs;
}
