// Whether the store answers, and since when again. After an outage nobody counts as dead for a while: nodes could not send
// their heartbeats through, which says nothing about them.
import { AppError } from '../../shared/errors/app-error.js';
import type { Logger } from '../../shared/log/logger.js';

export interface StoreContactDeps {
  readonly location: string;
  readonly logger: Logger;
  readonly monotonicMs: () => number;
  /** One TTL: what a living node needs to be seen again. */
  readonly graceMs: number;
}

export class StoreContact {
  private state: 'never' | 'reachable' | 'lost' = 'never';
  private wasReachable = false;
  private graceUntilMs = -Infinity;
  private readonly firstContact: Promise<void>;
  private resolveFirst!: () => void;

  constructor(private readonly deps: StoreContactDeps) {
    this.firstContact = new Promise((resolve) => {
      this.resolveFirst = resolve;
    });
  }

  get isReachable(): boolean {
    return this.state === 'reachable';
  }

  /** Resolves when the store has answered once; rejects with AppError `aborted`. */
  answered(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        reject(new AppError('aborted', 'waiting for the store was ended'));
      };
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      void this.firstContact.then(() => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  succeeded(): void {
    if (this.state === 'reachable') return;
    const { logger, location, monotonicMs, graceMs } = this.deps;
    if (this.state === 'lost') logger.info('store reachable', { target: location });
    if (this.wasReachable) this.graceUntilMs = monotonicMs() + graceMs;
    this.state = 'reachable';
    this.wasReachable = true;
    this.resolveFirst();
  }

  failed(error: unknown): void {
    if (this.state === 'lost') return;
    this.state = 'lost';
    this.deps.logger.warn('store out of reach, trying on', {
      target: this.deps.location,
      err: error,
    });
  }

  /** True while the store is out of reach or one TTL has not passed since: a missing heartbeat says nothing. */
  get isInGrace(): boolean {
    return this.state === 'lost' || this.deps.monotonicMs() < this.graceUntilMs;
  }
}
