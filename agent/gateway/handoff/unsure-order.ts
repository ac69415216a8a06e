// Whether an older value may come to stand over a newer one at an owner: a request was given up that the owner may still hold,
// and newer points of that shard are among the hints for it. It only tells, again until it is heard; nothing waits for it.
import { messageOf } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { Batch } from '../owner/port.js';

export interface UnsureOrderDeps {
  /** Resolves once it is recorded for the owner, in these groups. */
  readonly tell: (groups: readonly number[], signal: AbortSignal) => Promise<void>;
  /** Between attempts to tell. */
  readonly retryMs: number;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly logger: Logger;
}

type Place = Pick<Batch, 'group' | 'shard'>;

export class UnsureOrder {
  /** By shard: the newest hint since all were delivered, and the newest one whose request may still be held. */
  private readonly newest = new Map<number, number>();
  private readonly held = new Map<number, number>();
  private readonly untold = new Set<number>();
  private telling: Promise<void> | undefined;
  private readonly stopping = new AbortController();

  constructor(private readonly deps: UnsureOrderDeps) {}

  /** A hint with this sequence is on disk. Sequences ascend. */
  noteHint(sequence: number, { group, shard }: Place): void {
    this.newest.set(shard, sequence);
    if ((this.held.get(shard) ?? sequence) < sequence) this.note(group);
  }

  /** A request for the points of that hint ended without a word, and may be applied later. */
  noteHeld(sequence: number, { group, shard }: Place): void {
    this.held.set(shard, Math.max(sequence, this.held.get(shard) ?? 0));
    if ((this.newest.get(shard) ?? 0) > sequence) this.note(group);
  }

  /** All hints are delivered: what is written from now on goes to the owner directly, and is not older than what it holds. */
  noteDrained(): void {
    this.newest.clear();
    this.held.clear();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.telling;
  }

  private note(group: number): void {
    this.untold.add(group);
    this.telling ??= this.tellAll().finally(() => {
      this.telling = undefined;
    });
  }

  private async tellAll(): Promise<void> {
    const { tell, retryMs, clock, logger } = this.deps;
    const { signal } = this.stopping;
    const isOver = (): boolean => signal.aborted;
    while (this.untold.size > 0 && !isOver()) {
      const groups = [...this.untold];
      try {
        await tell(groups, signal);
        for (const group of groups) this.untold.delete(group);
      } catch (error) {
        if (isOver()) return;
        logger.warn('telling that the order of points is unsure failed', { why: messageOf(error) });
        // The loop ends with the signal.
        await clock.sleep(retryMs, signal).catch(() => undefined);
      }
    }
  }
}
