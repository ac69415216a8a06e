// Followers of a cluster's events. One store watch per cluster, while somebody follows: it only tells that there is more, and
// each follower then reads on from the last event that it had.
import type { Logger } from '../../shared/log/logger.js';
import type { ClusterKeys } from '../store/keys.js';
import type { Store } from '../store/port.js';
import { decodeRecord } from '../store/records.js';
import { WatchedKey } from '../store/watched-key.js';
import type { EventLog } from './event-log.js';
import { headRecord, type EventRecord, type HeadRecord } from './records.js';

export interface FeedDeps {
  readonly store: Store;
  readonly log: Pick<EventLog, 'after'>;
  readonly logger: Logger;
}

export interface FollowOptions {
  /** Undefined: only what comes from now on. */
  readonly since: number | undefined;
  /** After so long without news an empty list is given. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

/** Events that are given at a time. */
const PAGE = 50;

const READ_DEADLINE_MS = 10_000;

export class EventFeed {
  private readonly head: WatchedKey<HeadRecord>;
  private readonly wakers = new Set<() => void>();
  /** Reads under way, by where they begin and what was known to be the last: followers in step share one. */
  private readonly reads = new Map<string, Promise<EventRecord[]>>();

  constructor(
    private readonly keys: ClusterKeys,
    private readonly deps: FeedDeps,
  ) {
    this.head = new WatchedKey({
      store: deps.store,
      key: keys.eventHead,
      logger: deps.logger,
      decode: (entry) => decodeRecord(entry, headRecord),
      onChange: () => {
        for (const wake of [...this.wakers]) wake();
      },
    });
  }

  /**
   * The events after `since`, as they come, oldest first, until the signal is aborted. Throws AppError `store-unavailable`
   * where the store fails: the follower begins again from the last event that it had.
   */
  async *follow({ since, idleMs, signal }: FollowOptions): AsyncGenerator<EventRecord[], void> {
    const head = await this.head.fresh();
    const last = head?.last ?? 0;
    // Beyond the newest: of a store that went back in time. What comes from now on is what can be told.
    let cursor = since === undefined ? last : Math.min(since, last);
    while (!signal.aborted) {
      const target = this.head.current?.last ?? 0;
      if (target <= cursor) {
        const isNews = await this.news(cursor, idleMs, signal);
        if (!isNews) yield [];
        continue;
      }
      const events = await this.read(cursor, target);
      // Nothing between here and the last: the cluster was deleted, and its events with it.
      cursor = events.at(-1)?.id ?? target;
      if (events.length > 0) yield events;
    }
  }

  close(): void {
    this.head.close();
  }

  private read(cursor: number, target: number): Promise<EventRecord[]> {
    const name = `${cursor}-${target}`;
    const known = this.reads.get(name);
    if (known !== undefined) return known;
    // No follower's signal: one that goes away must not end the read of the others. The store has a deadline of its own.
    const signal = AbortSignal.timeout(READ_DEADLINE_MS);
    const read = this.deps.log
      .after(this.keys, cursor, PAGE, signal)
      .finally(() => this.reads.delete(name));
    this.reads.set(name, read);
    return read;
  }

  /** True when there is more than `cursor`; false when nothing came in time, or the signal was aborted. */
  private news(cursor: number, idleMs: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (isNews: boolean): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        this.wakers.delete(wake);
        resolve(isNews);
      };
      const wake = (): void => {
        if ((this.head.current?.last ?? 0) > cursor) finish(true);
      };
      const onAbort = (): void => {
        finish(false);
      };
      const timer = setTimeout(finish, idleMs, false);
      signal.addEventListener('abort', onAbort, { once: true });
      this.wakers.add(wake);
      if (signal.aborted) finish(false);
    });
  }
}
