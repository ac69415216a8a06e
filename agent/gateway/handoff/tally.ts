// What became of an owner's hints since the agent started, and how fast they go.
import type { Clock } from '../../../shared/lifecycle/clock.js';

/** Over so long a time the speed is taken: long enough to be steady, short enough to follow. */
const WINDOW_MS = 10_000;

export class Tally {
  deliveredRecords = 0;
  deliveredBytes = 0;
  /** Hints that the direct request made unnecessary. */
  settled = 0;
  /** Not kept: limits, or the disk. */
  refused = 0;
  expired = 0;
  /** Hints that were damaged or missing on disk. */
  lost = 0;
  /** Hints whose database or policy is gone. */
  gone = 0;
  /** Points that influxd refused for good. */
  deadLetters = 0;
  private readonly samples: { readonly atMs: number; readonly bytes: number }[] = [];

  constructor(private readonly clock: Clock) {}

  noteRefused(): void {
    this.refused += 1;
  }

  delivered(records: number, bytes: number): void {
    this.deliveredRecords += records;
    this.deliveredBytes += bytes;
    this.samples.push({ atMs: this.clock.monotonicMs(), bytes });
    this.prune();
  }

  get bytesPerSecond(): number {
    this.prune();
    const bytes = this.samples.reduce((sum, sample) => sum + sample.bytes, 0);
    return Math.round((bytes / WINDOW_MS) * 1000);
  }

  private prune(): void {
    const oldestMs = this.clock.monotonicMs() - WINDOW_MS;
    const kept = this.samples.findIndex(({ atMs }) => atMs > oldestMs);
    this.samples.splice(0, kept < 0 ? this.samples.length : kept);
  }
}
