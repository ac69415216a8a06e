// The newest placement of one cluster as this manager knows it: one store watch feeds all its readers, and a change that this
// manager made releases them by itself.
import { isAppError } from '../../shared/errors/app-error.js';
import type { Logger } from '../../shared/log/logger.js';
import type { PlacedGroup } from '../../shared/placement/model.js';
import type { BlobStore } from '../metadata/blob-store.js';
import { isNews, Waiters, type Seen, type Wait } from '../metadata/waiters.js';
import type { PlacementKeys } from '../store/keys.js';
import type { Entry, Store } from '../store/port.js';
import { WatchedKey } from '../store/watched-key.js';
import { PublishedPlacement } from './published.js';
import { NO_STATE, type PlacementState } from './state.js';

export interface PlacementFeedDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly logger: Logger;
}

/** Blobs go in the transaction that names others; being overtaken so often while reading one means a storm of changes. */
const MAX_LOADS = 10;

/** A version with its groups; `published` is undefined where there is no placement yet. */
export interface LoadedPlacement {
  readonly published: PublishedPlacement | undefined;
  readonly state: PlacementState;
}

export class PlacementFeed {
  private readonly pointer: WatchedKey<PublishedPlacement>;
  private readonly waiters = new Waiters<PublishedPlacement>();
  private readonly cache = new Map<string, readonly PlacedGroup[]>();

  constructor(
    readonly keys: PlacementKeys,
    private readonly deps: PlacementFeedDeps,
  ) {
    this.pointer = new WatchedKey({
      store: deps.store,
      key: keys.pointer,
      logger: deps.logger,
      decode: (entry) => this.published(entry),
      onChange: (published) => {
        this.waiters.tell(published);
      },
    });
  }

  get waiting(): number {
    return this.waiters.size;
  }

  /** By a linearizable read. Throws AppError `store-unavailable`. */
  newest(): Promise<PublishedPlacement | undefined> {
    return this.pointer.fresh();
  }

  /** What was last heard: no read after the first time, but it may be behind. */
  latest(): Promise<PublishedPlacement | undefined> {
    return this.pointer.recent();
  }

  /** The newest with its groups. Throws AppError `store-unavailable`. */
  async load(): Promise<LoadedPlacement> {
    for (let loads = 1; ; loads++) {
      const published = await this.newest();
      if (published === undefined) return { published, state: NO_STATE };
      try {
        return { published, state: await published.state() };
      } catch (error) {
        if (!isAppError(error, 'version-not-found') || loads === MAX_LOADS) throw error;
      }
    }
  }

  /** Takes a version that this manager has just committed; releases its waiting readers. */
  accept(entry: Entry, state: PlacementState): PublishedPlacement {
    const published = this.published(entry, state);
    this.pointer.accept(entry, published);
    return published;
  }

  /** As ClusterFeed.wait. */
  wait(seen: Seen, waitMs: number): Wait<PublishedPlacement> {
    const wait = this.waiters.add(seen, waitMs);
    const known = this.pointer.current;
    if (isNews(known, seen)) this.waiters.tell(known);
    return wait;
  }

  endWaits(): void {
    this.waiters.endAll();
  }

  close(): void {
    this.endWaits();
    this.pointer.close();
  }

  private published(entry: Entry, state?: PlacementState): PublishedPlacement {
    const { keys, cache } = this;
    return new PublishedPlacement(entry, { keys, blobs: this.deps.blobs, cache }, state);
  }
}
