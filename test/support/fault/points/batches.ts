// What the points of a batch are: all of it follows from a few numbers, so that millions need not be remembered to be looked for
// later. Each batch is a series of its own; each point has a value that no other point has.
import type { Random } from '../random.js';

export type WriteLevel = 'any' | 'one' | 'quorum' | 'all';
export const WRITE_LEVELS: readonly WriteLevel[] = ['any', 'one', 'quorum', 'all'];

/** As /write takes them. All times are whole seconds, so that each can say them. */
export const PRECISIONS = ['n', 'u', 'ms', 's'] as const;
type Precision = (typeof PRECISIONS)[number];

const PER_SECOND: Readonly<Record<Precision, string>> = {
  n: '000000000',
  u: '000000',
  ms: '000',
  s: '',
};

export interface PointBatch {
  /** The tag `b`; counted from 0 over all writers. */
  readonly number: number;
  /** The tag `w`. */
  readonly writer: number;
  readonly policy: string;
  /** Unix time of the first point, and from each point to the next, in s. */
  readonly startS: number;
  readonly stepS: number;
  readonly size: number;
  /** Of the first point; each has one more than the one before. */
  readonly firstValue: number;
  /** A further field; undefined: only `v`. */
  readonly extra: number | undefined;
}

export type FieldValue = number | string | boolean;

export interface BatchPoint {
  readonly timeS: number;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

/** Few enough to be met again, many enough that one never seen is met in most shards. */
export const EXTRA_FIELDS = 8;

/** Points of one batch. */
export const MAX_POINTS = 200;

export function measurementOf(writer: number): string {
  return `m${writer % 2}`;
}

/** Where a batch's points are, and those of no other one. */
export function seriesKey({ policy, writer, number }: PointBatch): string {
  return keyOfSeries(policy, measurementOf(writer), String(writer), String(number));
}

export function keyOfSeries(
  policy: string,
  measurement: string,
  writer: string,
  number: string,
): string {
  return `${policy}.${measurement},b=${number},w=${writer}`;
}

/** In the order of time. */
export function pointsOf(batch: PointBatch): BatchPoint[] {
  const { startS, stepS, size, firstValue, extra } = batch;
  return Array.from({ length: size }, (_, index) => {
    const v = firstValue + index;
    const more = extra === undefined ? {} : { [`f${extra}`]: extraValue(extra, v) };
    return { timeS: startS + index * stepS, fields: { v, ...more } };
  });
}

/** One of each type of InfluxDB in turn, by the field. */
function extraValue(extra: number, v: number): FieldValue {
  const byType = [v + 0.5, `text ${v}`, v % 2 === 0, v];
  return byType[extra % byType.length]!;
}

/** As line protocol. */
export function linesOf(batch: PointBatch, precision: Precision): string {
  const { writer, number, extra } = batch;
  const series = `${measurementOf(writer)},b=${number},w=${writer}`;
  return pointsOf(batch)
    .map(({ timeS, fields }) => {
      const text = Object.entries(fields).map(([name, value]) => `${name}=${written(value, name)}`);
      return `${series} ${text.join(',')} ${timeS}${PER_SECOND[precision]}`;
    })
    .join('\n');

  function written(value: FieldValue, name: string): string {
    if (typeof value === 'string') return JSON.stringify(value);
    const isInteger = name === 'v' || (extra !== undefined && extra % 4 === 3);
    return isInteger ? `${String(value)}i` : String(value);
  }
}

const HOUR_S = 3_600;

/** How many shard groups a policy gets at most: each is a shard of three influxds. */
const MAX_HOURS = 6;
const SHARE_OF_NEW_HOURS = 0.1;
const SHARE_WITH_EXTRA = 0.15;

/** Draws batches, and knows for which hours of which policy there is a shard group: those in which points were acknowledged. */
export class BatchMaker {
  /** Only times in groups that are made already, while it is true. */
  isHeld = false;
  private readonly made = new Map<string, Set<number>>();
  private nextNumber = 0;
  private nextValue = 1;

  constructor(
    private readonly policies: readonly string[],
    /** All times are after this Unix time in s, and before six hours later. */
    readonly startS: number,
  ) {}

  next(writer: number, random: Random): PointBatch {
    const policy = random.pick(this.policies);
    const made = this.madeOf(policy);
    const hour = this.pickHour(made, random);
    // Into the next hour where there is a group for it, or may be.
    const mayCross = made.has(hour + 1) || (!this.isHeld && hour + 1 < MAX_HOURS);
    const size = random.between(1, MAX_POINTS);
    const offsetS = random.below(HOUR_S);
    const roomS = (mayCross ? 2 : 1) * HOUR_S - offsetS;
    const stepS = Math.max(0, Math.min(random.between(1, 20), Math.floor((roomS - 1) / size)));
    const number = this.nextNumber;
    const firstValue = this.nextValue;
    this.nextNumber += 1;
    this.nextValue += MAX_POINTS;
    return {
      ...{ number, writer, policy, firstValue },
      startS: this.startS + hour * HOUR_S + offsetS,
      stepS: Math.max(stepS, 1),
      // So late in its hour that not all have a time of their own.
      size: stepS === 0 ? 1 : size,
      extra: random.chance(SHARE_WITH_EXTRA) ? random.below(EXTRA_FIELDS) : undefined,
    };
  }

  noteAcknowledged({ policy, startS, stepS, size }: PointBatch): void {
    const made = this.madeOf(policy);
    made.add(this.hourOf(startS));
    made.add(this.hourOf(startS + (size - 1) * stepS));
  }

  private hourOf(timeS: number): number {
    return Math.floor((timeS - this.startS) / HOUR_S);
  }

  private pickHour(made: ReadonlySet<number>, random: Random): number {
    const next = Math.max(-1, ...made) + 1;
    const isNew = made.size === 0 || random.chance(SHARE_OF_NEW_HOURS);
    return isNew && !this.isHeld && next < MAX_HOURS ? next : random.pick([...made]);
  }

  private madeOf(policy: string): Set<number> {
    const made = this.made.get(policy) ?? new Set();
    this.made.set(policy, made);
    return made;
  }
}
