// Bodies of points as monitoring agents send them: 10 tags, 10 fields, each point with a time of its own. The lines are made
// once; later bodies differ in their times alone, so that making them costs a measurement nothing.

/** Digits of a time in nanoseconds; all of them lie between the years 2001 and 2286. */
const TIME_DIGITS = 19;
const FIELDS = 10;
/** What one host's worth of series comes to; more would measure influxd's index. */
const SERIES = 97;
const NS_PER_MS = 1_000_000n;

export class Points {
  /** In nanoseconds; of the next body's first point. */
  private nextNs: bigint;
  private readonly template: Buffer;
  /** Where the time of each line begins. */
  private readonly timesAt: readonly number[];

  /** @param perBody points of one body. */
  constructor(
    readonly perBody: number,
    startMs = Date.now() - 3_600_000,
  ) {
    this.nextNs = BigInt(startMs) * NS_PER_MS;
    const times: number[] = [];
    let text = '';
    for (let at = 0; at < perBody; at += 1) {
      text += lineOf(at);
      times.push(text.length);
      text += `${'0'.repeat(TIME_DIGITS)}\n`;
    }
    this.template = Buffer.from(text, 'latin1');
    this.timesAt = times;
  }

  get bytesPerPoint(): number {
    return Math.round(this.template.length / this.perBody);
  }

  /** The next body: its points are a microsecond apart, and none has the time of another body's. */
  next(): Buffer {
    const body = Buffer.from(this.template);
    for (const at of this.timesAt) {
      body.write(this.nextNs.toString(), at, TIME_DIGITS, 'latin1');
      this.nextNs += 1_000n;
    }
    return body;
  }

  bodies(count: number): Buffer[] {
    return Array.from({ length: count }, () => this.next());
  }
}

function lineOf(at: number): string {
  const tags = Array.from({ length: 10 }, (_, tag) => `tag_${tag}=value-${tag}-${at % SERIES}`);
  const fields = Array.from({ length: FIELDS }, (_, field) =>
    field % 2 === 0
      ? `field_${field}=${((at * 17 + field) % 1000) / 8}`
      : `field_${field}=${at * 13 + field}i`,
  );
  return `cpu,${tags.join(',')} ${fields.join(',')} `;
}
