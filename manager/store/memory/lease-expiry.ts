// Ends leases on time: one loop that sleeps until the next one is due, and runs only while there are leases.
import { isAbort } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';

export interface LeaseExpiryDeps {
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  /** When the next lease is due on the monotonic clock; undefined where no lease can end any more. */
  readonly nextExpiryMs: () => number | undefined;
  /** Ends the leases that are due. Must not reject for reasons that the caller can see otherwise. */
  readonly endDue: () => Promise<void>;
}

export class LeaseExpiry {
  private readonly closing = new AbortController();
  private alarm = new AbortController();
  private isRunning = false;
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly deps: LeaseExpiryDeps) {}

  /** To be called when there is a new lease: starts the loop, or lets it look whether this one is due earlier. */
  wake(): void {
    this.alarm.abort();
    if (!this.isRunning) this.running = this.run();
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.alarm.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    while (!this.closing.signal.aborted) {
      const next = this.deps.nextExpiryMs();
      if (next === undefined) break;
      this.alarm = new AbortController();
      await this.sleepUntil(next);
      await this.deps.endDue();
    }
    this.isRunning = false;
  }

  private async sleepUntil(atMs: number): Promise<void> {
    const { clock } = this.deps;
    try {
      await clock.sleep(Math.max(0, atMs - clock.monotonicMs()), this.alarm.signal);
    } catch (error) {
      // Woken early: by a new lease, or because the store closes. The loop looks at both.
      if (!isAbort(error)) throw error;
    }
  }
}
