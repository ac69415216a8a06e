// The newest version of one cluster as this manager knows it: one store watch feeds all its readers, and a write that this
// manager accepted releases them by itself.
import type { Logger } from '../../shared/log/logger.js';
import type { ClusterKeys } from '../store/keys.js';
import type { Entry, Store } from '../store/port.js';
import { WatchedKey } from '../store/watched-key.js';
import type { BlobStore } from './blob-store.js';
import { Published, type Content } from './published.js';
import { Waiters, isNews, type Seen, type Wait } from './waiters.js';

export interface FeedDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly logger: Logger;
}

export class ClusterFeed {
  private readonly pointer: WatchedKey<Published>;
  private readonly waiters = new Waiters();

  constructor(
    readonly keys: ClusterKeys,
    private readonly deps: FeedDeps,
  ) {
    this.pointer = new WatchedKey({
      store: deps.store,
      key: keys.meta,
      logger: deps.logger,
      decode: (entry) => new Published(entry, { keys, ...deps }),
      onChange: (published) => {
        this.waiters.tell(published);
      },
    });
  }

  /** How many readers wait. */
  get waiting(): number {
    return this.waiters.size;
  }

  /** The newest version by a linearizable read. Throws AppError `store-unavailable`. */
  newest(): Promise<Published | undefined> {
    return this.pointer.fresh();
  }

  /** What was last heard: no read after the first time, but it may be behind. */
  latest(): Promise<Published | undefined> {
    return this.pointer.recent();
  }

  /** What was last heard, at once; undefined also where nothing was heard yet. */
  get known(): Published | undefined {
    return this.pointer.current;
  }

  /** Takes a version that this manager has just committed; releases its waiting readers. */
  accept(entry: Entry, content: Content): Published {
    const published = new Published(entry, { keys: this.keys, ...this.deps }, content);
    this.pointer.accept(entry, published);
    return published;
  }

  /**
   * Waits for news to a reader that has just been found to have the newest. What came while that answer was under way is
   * looked at here, so nothing is missed between asking and waiting.
   */
  wait(seen: Seen, waitMs: number): Wait {
    const wait = this.waiters.add(seen, waitMs);
    const known = this.pointer.current;
    if (isNews(known, seen)) this.waiters.tell(known);
    return wait;
  }

  /** Ends all waits, as if their time were over. */
  endWaits(): void {
    this.waiters.endAll();
  }

  close(): void {
    this.endWaits();
    this.pointer.close();
  }
}
