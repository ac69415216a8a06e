// Events that this manager itself has to tell: written after the request that caused them was answered, never in its way.
// While the store is out of reach they wait, as many as there is room for; those beyond are let go, and counted in the log.
import { setMaxListeners } from 'node:events';
import { isAbort, isAppError, messageOf } from '../../shared/errors/app-error.js';
import { createBackoff } from '../../shared/lifecycle/backoff.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Logger } from '../../shared/log/logger.js';
import type { Keys } from '../store/keys.js';
import { MAX_BATCH, type EventLog, type NewEvent } from './event-log.js';

/** An event, or what makes one once there is time; undefined: there is nothing to tell after all. */
export type Told = NewEvent | ((signal: AbortSignal) => Promise<NewEvent | undefined>);

export interface OutboxDeps {
  readonly log: Pick<EventLog, 'append'>;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Over all clusters; some MiB at most. */
const MAX_WAITING = 2_000;

/** What comes this close together shares a transaction. */
const GATHER_MS = 50;

export class Outbox {
  private readonly queues = new Map<string, Told[]>();
  private readonly pumps = new Map<string, Promise<void>>();
  private readonly closing = new AbortController();
  private readonly stop = new AbortController();
  private waiting = 0;
  private lost = 0;
  private isFailing = false;

  constructor(private readonly deps: OutboxDeps) {
    // Each store call of each cluster listens to it while it runs; that is no leak.
    setMaxListeners(0, this.stop.signal, this.closing.signal);
  }

  /** Returns at once. */
  tell(cluster: string, told: Told): void {
    if (this.waiting >= MAX_WAITING || this.stop.signal.aborted) {
      if (this.lost === 0) {
        this.deps.logger.warn('events are let go, too many wait for the store', { cluster });
      }
      this.lost += 1;
      return;
    }
    this.waiting += 1;
    const queue = this.queues.get(cluster);
    if (queue === undefined) this.queues.set(cluster, [told]);
    else queue.push(told);
    if (!this.pumps.has(cluster)) this.pumps.set(cluster, this.pump(cluster));
  }

  /** Writes what waits, for as long as `withinMs`, and takes nothing more. */
  async close(withinMs: number): Promise<void> {
    this.closing.abort();
    const timer = setTimeout(() => {
      this.stop.abort();
    }, withinMs);
    while (this.pumps.size > 0) await Promise.all(this.pumps.values());
    clearTimeout(timer);
    this.stop.abort();
  }

  /** Never rejects. */
  private async pump(cluster: string): Promise<void> {
    const backoff = createBackoff();
    await this.pause(GATHER_MS);
    for (;;) {
      const queue = this.queues.get(cluster) ?? [];
      const batch = queue.slice(0, MAX_BATCH);
      if (batch.length === 0 || this.stop.signal.aborted) break;
      if (await this.isWritten(cluster, batch)) {
        queue.splice(0, batch.length);
        this.waiting -= batch.length;
        backoff.reset();
      } else {
        await this.pause(backoff.nextDelayMs());
      }
    }
    this.queues.delete(cluster);
    this.pumps.delete(cluster);
  }

  private async isWritten(cluster: string, batch: readonly Told[]): Promise<boolean> {
    const { log, keys, logger } = this.deps;
    const { signal } = this.stop;
    try {
      const made = await Promise.all(
        batch.map(async (told) => (typeof told === 'function' ? told(signal) : told)),
      );
      const events = made.filter((event) => event !== undefined);
      if (events.length > 0) await log.append(keys.cluster(cluster), events, signal);
    } catch (error) {
      if (!isPassing(error)) {
        // What can't be told for another reason must not keep the others back.
        logger.error('events cannot be written, letting them go', { cluster, err: error });
        return true;
      }
      if (this.closing.signal.aborted) this.giveUp(cluster, messageOf(error));
      else if (!this.isFailing) logger.warn('events cannot be written, trying on', { err: error });
      this.isFailing = true;
      return false;
    }
    if (this.isFailing || this.lost > 0)
      logger.info('events are written again', { lost: this.lost });
    this.isFailing = false;
    this.lost = 0;
    return true;
  }

  /** A store that fails while the manager stops is not waited for. */
  private giveUp(cluster: string, reason: string): void {
    const lost = this.queues.get(cluster)?.length ?? 0;
    this.deps.logger.warn('events are let go, the manager stops', { cluster, lost, reason });
    this.queues.delete(cluster);
  }

  /** Ends early when the outbox is closed; then what waits is written at once. */
  private async pause(ms: number): Promise<void> {
    await this.deps.clock.sleep(ms, this.closing.signal).catch(() => undefined);
  }
}

/** The store will be there again some time. */
function isPassing(error: unknown): boolean {
  return isAbort(error) || isAppError(error, 'store-unavailable', 'outcome-unknown');
}
