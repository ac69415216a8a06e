// Counts failed attempts by address, so that somebody who tries can't keep this program or its log busy. It never stops who
// proves the secret: many machines can stand behind one address.
import type { Clock } from '../lifecycle/clock.js';

export interface FailuresOptions {
  /** Failed attempts of one address within a minute that are answered as such. */
  readonly maxPerMinute: number;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

const MINUTE_MS = 60_000;
/** Beyond, the address whose minute began first is forgotten: memory is bounded, whoever calls. */
const MAX_ADDRESSES = 10_000;

export class Failures {
  private readonly minutes = new Map<string, { readonly sinceMs: number; count: number }>();

  constructor(private readonly options: FailuresOptions) {}

  /** Notes one; the seconds that the address shall stay away where it had too many, undefined where not. */
  note(address: string): number | undefined {
    const nowMs = this.options.clock.monotonicMs();
    const known = this.minutes.get(address);
    if (known === undefined || nowMs - known.sinceMs >= MINUTE_MS) {
      this.begin(address, nowMs);
      return undefined;
    }
    known.count += 1;
    if (known.count <= this.options.maxPerMinute) return undefined;
    return Math.ceil((known.sinceMs + MINUTE_MS - nowMs) / 1_000);
  }

  private begin(address: string, nowMs: number): void {
    this.minutes.delete(address);
    this.minutes.set(address, { sinceMs: nowMs, count: 1 });
    if (this.minutes.size <= MAX_ADDRESSES) return;
    const [oldest] = this.minutes.keys();
    if (oldest !== undefined) this.minutes.delete(oldest);
  }
}
