// The events of all clusters, as the rest of the manager sees them: tell, report, list, follow.
import type { EventBody } from '../../shared/api/events.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Logger } from '../../shared/log/logger.js';
import type { Masks } from '../metadata/masks.js';
import type { Keys } from '../store/keys.js';
import type { Store } from '../store/port.js';
import { EventFeed, type FollowOptions } from './event-feed.js';
import { EventLog, type NewEvent } from './event-log.js';
import { Outbox, type Told } from './outbox.js';
import type { EventRecord } from './records.js';

export interface EventsDeps {
  readonly store: Store;
  readonly keys: Keys;
  readonly masks: Masks;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxEvents: number;
}

export class Events {
  private readonly log: EventLog;
  private readonly outbox: Outbox;
  private readonly feeds = new Map<string, { readonly feed: EventFeed; followers: number }>();
  private readonly ending = new AbortController();

  constructor(private readonly deps: EventsDeps) {
    this.log = new EventLog(deps);
    this.outbox = new Outbox({ ...deps, log: this.log });
  }

  /** Something that this manager did or saw; returns at once and never fails. */
  tell(cluster: string, told: Told): void {
    this.outbox.tell(cluster, told);
  }

  /** Something that a node tells; resolves to its id once it is kept. Throws AppError `store-unavailable`, `outcome-unknown`. */
  async report(cluster: string, event: NewEvent, signal: AbortSignal): Promise<number> {
    const [id] = await this.log.append(this.deps.keys.cluster(cluster), [event], signal);
    return id ?? 0;
  }

  /** The kept events of a cluster after `since` (the newest ones where it is undefined), oldest first. */
  async list(
    cluster: string,
    range: { readonly since: number | undefined; readonly limit: number },
    signal: AbortSignal,
  ): Promise<EventBody[]> {
    const records = await this.log.list(this.deps.keys.cluster(cluster), range, signal);
    return records.map((record) => bodyOf(cluster, record));
  }

  /** How many follow right now, over all clusters. */
  get following(): number {
    let sum = 0;
    for (const { followers } of this.feeds.values()) sum += followers;
    return sum;
  }

  /** As EventFeed.follow; ends also when the manager stops. */
  async *follow(cluster: string, options: FollowOptions): AsyncGenerator<EventBody[], void> {
    const signal = AbortSignal.any([options.signal, this.ending.signal]);
    const entry = this.feeds.get(cluster) ?? { feed: this.open(cluster), followers: 0 };
    this.feeds.set(cluster, entry);
    entry.followers += 1;
    try {
      for await (const records of entry.feed.follow({ ...options, signal })) {
        yield records.map((record) => bodyOf(cluster, record));
      }
    } finally {
      entry.followers -= 1;
      if (entry.followers === 0) {
        this.feeds.delete(cluster);
        entry.feed.close();
      }
    }
  }

  /** Ends all followers at once; the manager is about to stop. */
  endFollowing(): void {
    this.ending.abort();
  }

  /** Writes what waits to be told, for `withinMs` at most. */
  async close(withinMs: number): Promise<void> {
    this.endFollowing();
    await this.outbox.close(withinMs);
  }

  private open(cluster: string): EventFeed {
    const { store, keys, logger } = this.deps;
    const log = logger.child({ cluster });
    return new EventFeed(keys.cluster(cluster), { store, logger: log, log: this.log });
  }
}

function bodyOf(cluster: string, record: EventRecord): EventBody {
  const { id, at, node, kind, text, before, after } = record;
  return { id, at, cluster, node, kind, text, before, after };
}
