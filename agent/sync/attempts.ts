// Remembers what influxd refused, so that a hopeless statement is tried again with growing pauses and not at every wake.
import type { ObjectKey } from '../../shared/meta/model.js';

/** First pause and longest pause between two tries of the same change. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;

interface Attempt {
  readonly reason: string;
  readonly what: string;
  readonly count: number;
  readonly nextMs: number;
}

export class Attempts {
  private readonly failed = new Map<ObjectKey, Attempt>();

  constructor(private readonly nowMs: () => number) {}

  /** Notes a refusal of `what` (the statement's text). */
  refuse(key: ObjectKey, what: string, reason: string): void {
    const previous = this.failed.get(key);
    const count = previous?.what === what ? previous.count + 1 : 1;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (count - 1));
    this.failed.set(key, { reason, what, count, nextMs: this.nowMs() + pause });
  }

  /** Why `what` is not to be tried now; undefined where it is. */
  whyNotNow(key: ObjectKey, what: string): string | undefined {
    const attempt = this.failed.get(key);
    if (attempt === undefined || attempt.what !== what) return undefined;
    const leftMs = attempt.nextMs - this.nowMs();
    // A wait longer than the longest pause can only come of a clock that was set back.
    return leftMs > 0 && leftMs <= LONGEST_PAUSE_MS ? attempt.reason : undefined;
  }

  succeed(key: ObjectKey): void {
    this.failed.delete(key);
  }

  /** When the next try is due (ms, own clock); undefined where nothing waits. */
  get nextDueMs(): number | undefined {
    let next: number | undefined;
    for (const { nextMs } of this.failed.values()) next = Math.min(next ?? nextMs, nextMs);
    return next;
  }

  /** Forgets what is not planned any more. */
  keepOnly(keys: ReadonlySet<ObjectKey>): void {
    for (const key of this.failed.keys()) if (!keys.has(key)) this.failed.delete(key);
  }
}
