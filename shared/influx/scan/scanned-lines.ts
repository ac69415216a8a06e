// What a scan found: the good lines of a body as ranges in typed arrays, no object per line, and why the others are none.
import type { Precision } from '../precision.js';
import { NS_PER_UNIT } from '../precision.js';
import type { Hash64 } from '../series-key.js';
import { fnv1a64, seriesKey, shardIndex } from '../series-key.js';
import { MINUS, SPACE, isDigit } from './bytes.js';

/** Bits of `flags`. */
export const HAS_TIME = 1;
export const IS_UNSORTED = 2;

/** `times` is off by no more than that many nanoseconds: today a double steps by 256, in 2262 by 1024. */
export const TIME_SLACK_NS = 2048;

/** One line that influxd would refuse as well. */
export interface LineError {
  /** influxd's own words: `unable to parse '<line>': <why>`. */
  readonly text: string;
}

/** The columns of the good lines. Each is at least `points` long; what is behind is meaningless. */
export interface LineColumns {
  /** First byte of the measurement. */
  readonly starts: Uint32Array;
  /** Behind the last byte of measurement and tags. */
  readonly keyEnds: Uint32Array;
  /** Behind the last byte, without the newline; without the blanks at the end where the line has no time. */
  readonly ends: Uint32Array;
  /** Nanoseconds since 1970, within TIME_SLACK_NS of the exact time; the request's time where the line has none. */
  readonly times: Float64Array;
  /**
   * 53 bits that stand for measurement, field keys in their order and the types of the values, all as written: lines of one
   * shape bring nothing new after the first. A hash: two shapes may collide, by a chance of 2^-53.
   */
  readonly shapes: Float64Array;
  readonly flags: Uint8Array;
}

export interface ScanResult {
  readonly body: Buffer;
  readonly precision: Precision;
  /** For lines without a time: cut to the precision. */
  readonly defaultTimeNs: bigint;
  readonly points: number;
  readonly columns: LineColumns;
  readonly errors: readonly LineError[];
  /** All lines that do not parse, also those that `errors` has no room for. */
  readonly failed: number;
}

export class ScannedLines {
  readonly body: Buffer;
  readonly precision: Precision;
  readonly defaultTimeNs: bigint;
  /** Good lines. */
  readonly points: number;
  readonly starts: Uint32Array;
  readonly keyEnds: Uint32Array;
  readonly ends: Uint32Array;
  readonly times: Float64Array;
  readonly shapes: Float64Array;
  readonly errors: readonly LineError[];
  readonly failed: number;
  private readonly flags: Uint8Array;

  constructor(result: ScanResult) {
    this.body = result.body;
    this.precision = result.precision;
    this.defaultTimeNs = result.defaultTimeNs;
    this.points = result.points;
    this.starts = result.columns.starts;
    this.keyEnds = result.columns.keyEnds;
    this.ends = result.columns.ends;
    this.times = result.columns.times;
    this.shapes = result.columns.shapes;
    this.flags = result.columns.flags;
    this.errors = result.errors;
    this.failed = result.failed;
  }

  hasTime(line: number): boolean {
    return ((this.flags[line] as number) & HAS_TIME) !== 0;
  }

  /** The exact time. */
  timeNs(line: number): bigint {
    if (!this.hasTime(line)) return this.defaultTimeNs;
    let end = this.ends[line] as number;
    while (this.body[end - 1] === SPACE) end -= 1;
    let start = end;
    while (isDigit(this.body[start - 1])) start -= 1;
    if (this.body[start - 1] === MINUS) start -= 1;
    return BigInt(this.body.toString('latin1', start, end)) * NS_PER_UNIT[this.precision];
  }

  /** The line as text without its newline; bytes that are no UTF-8 are replaced. */
  text(line: number): string {
    return this.body.toString('utf8', this.starts[line], this.ends[line]);
  }

  /** The series' name as influxd builds it; may be a view of the body. */
  seriesKey(line: number): Buffer {
    const key = this.body.subarray(this.starts[line], this.keyEnds[line]);
    return this.isUnsorted(line) ? seriesKey(key) : key;
  }

  seriesHash(line: number): Hash64 {
    if (this.isUnsorted(line)) return fnv1a64(this.seriesKey(line));
    return fnv1a64(this.body, this.starts[line], this.keyEnds[line]);
  }

  /** Which of a group's shards takes it: their order in the group is the modulus order. */
  shardOf(line: number, shards: number): number {
    return shards === 1 ? 0 : shardIndex(this.seriesHash(line), shards);
  }

  private isUnsorted(line: number): boolean {
    return ((this.flags[line] as number) & IS_UNSORTED) !== 0;
  }
}
