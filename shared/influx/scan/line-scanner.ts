// Scans a body of line protocol as influxd 1.6 does: which lines are points, where their parts are, when they are, and which
// lines are none and why. It unescapes nothing and knows neither databases nor fields that exist already.
import type { Precision } from '../precision.js';
import { NS_PER_UNIT } from '../precision.js';
import { HASH, NEWLINE, skipBlanks } from './bytes.js';
import { exactLine } from './exact-line.js';
import { goText } from './go-text.js';
import { LineBuilder } from './line-builder.js';
import { lineEnd } from './line-end.js';
import { QuickLine } from './quick-line.js';
import type { LineError } from './scanned-lines.js';
import { HAS_TIME, IS_UNSORTED, ScannedLines } from './scanned-lines.js';

/** A body can be one fault per two bytes: that much of it is worth telling. */
const MAX_ERRORS = 1_000;
const MAX_ERROR_BYTES = 256 * 1024;
/** The reason of influxd can repeat a number or a name of any length. */
const MAX_WHY_LENGTH = 1_024;

export interface ScanOptions {
  readonly precision: Precision;
  /** For lines without a time: nanoseconds since 1970. It is cut to the precision here, as influxd does. */
  readonly defaultTimeNs: bigint;
  /** Most texts of lines that don't parse that are kept; they are counted all. */
  readonly maxErrors?: number;
  /** Most bytes of lines in these texts together; a line that is longer than what is left is cut. */
  readonly maxErrorBytes?: number;
}

/** The default time as influxd cuts it: down to a whole unit, also before 1970. */
export function cutTime(timeNs: bigint, precision: Precision): bigint {
  const unitNs = NS_PER_UNIT[precision];
  const rest = timeNs % unitNs;
  return timeNs - (rest < 0n ? rest + unitNs : rest);
}

export class LineScanner {
  private readonly defaultTimeNs: bigint;
  private readonly unitNs: bigint;

  constructor(private readonly options: ScanOptions) {
    this.unitNs = NS_PER_UNIT[options.precision];
    this.defaultTimeNs = cutTime(options.defaultTimeNs, options.precision);
  }

  /** The body is kept by the result and must not change. It is at most 4 GiB long. */
  scan(body: Buffer): ScannedLines {
    return new Scan(body, this.options, this.unitNs, this.defaultTimeNs).run();
  }
}

/** One body. */
class Scan {
  private readonly lines: LineBuilder;
  private readonly quick: QuickLine;
  private readonly errors: LineError[] = [];
  private failed = 0;
  private errorBytesLeft: number;

  constructor(
    private readonly body: Buffer,
    private readonly options: ScanOptions,
    private readonly unitNs: bigint,
    private readonly defaultTimeNs: bigint,
  ) {
    this.lines = new LineBuilder(body.length, body.indexOf(NEWLINE));
    this.quick = new QuickLine(body, Number(unitNs));
    this.errorBytesLeft = options.maxErrorBytes ?? MAX_ERROR_BYTES;
  }

  run(): ScannedLines {
    const { body, quick, lines } = this;
    const defaultTime = Number(this.defaultTimeNs);
    let at = 0;
    while (at < body.length) {
      const next = quick.scan(at);
      if (next < 0) {
        at = this.exact(at);
        continue;
      }
      const timeNs = quick.hasTime ? quick.timeNs : defaultTime;
      const flags = (quick.hasTime ? HAS_TIME : 0) | (quick.isSorted ? 0 : IS_UNSORTED);
      lines.add(at, quick.keyEnd, quick.end, timeNs, quick.shape, flags);
      at = next;
    }
    return new ScannedLines({
      body,
      precision: this.options.precision,
      defaultTimeNs: this.defaultTimeNs,
      points: lines.points,
      columns: lines.columns,
      errors: this.errors,
      failed: this.failed,
    });
  }

  /** Judges the line that begins there by all the rules; returns where the next one begins. */
  private exact(at: number): number {
    const { body } = this;
    const stop = lineEnd(body, at);
    const next = stop + 1;
    // A last line may end in a newline that a backslash stands before.
    const end = stop > at && body[stop - 1] === NEWLINE ? stop - 1 : stop;
    const start = skipBlanks(body, at, stop);
    if (start >= stop || body[start] === HASH) return next;
    const line = start < end ? exactLine(body, start, end, this.unitNs) : 'missing measurement';
    if (typeof line === 'string') {
      this.refuse(start, end, line);
      return next;
    }
    const timeNs = Number(line.timeNs ?? this.defaultTimeNs);
    const flags = (line.timeNs === undefined ? 0 : HAS_TIME) | (line.isSorted ? 0 : IS_UNSORTED);
    this.lines.add(start, line.keyEnd, line.end, timeNs, line.shape, flags);
    return next;
  }

  private refuse(start: number, end: number, why: string): void {
    this.failed += 1;
    if (this.errors.length >= (this.options.maxErrors ?? MAX_ERRORS)) return;
    if (this.errorBytesLeft <= 0) return;
    const shown = Math.min(Math.max(end - start, 0), this.errorBytesLeft);
    const cut = shown < end - start ? '...' : '';
    const line = goText(this.body.subarray(start, start + shown));
    this.errors.push({ text: `unable to parse '${line}${cut}': ${why.slice(0, MAX_WHY_LENGTH)}` });
    this.errorBytesLeft -= shown;
  }
}
