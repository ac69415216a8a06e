// What this manager watches, one view per cluster that somebody asks for; views that nobody uses are let go.
import type { Logger } from '../../shared/log/logger.js';
import type { ClusterKeys, Keys } from '../store/keys.js';
import type { Store } from '../store/port.js';
import { decodeRecord } from '../store/records.js';
import { WatchedKey } from '../store/watched-key.js';
import { PlacementFeed } from '../placement/placement-feed.js';
import { ordersRecord, type OrdersRecord } from '../nodes/orders-record.js';
import type { BlobStore } from './blob-store.js';
import { ClusterFeed } from './cluster-feed.js';

/** Longer than any single request but a long poll, which counts as use itself. */
const IDLE_MS = 60_000;

export interface ClusterView {
  readonly name: string;
  readonly keys: ClusterKeys;
  readonly feed: ClusterFeed;
  readonly placement: PlacementFeed;
  /** The registry's revision: another one when nodes came, went or moved. undefined: no node ever registered. */
  readonly registry: WatchedKey<number>;
  /** What people ordered. undefined: nothing yet. */
  readonly orders: WatchedKey<OrdersRecord>;
}

export interface ClusterViewsDeps {
  readonly store: Store;
  readonly keys: Keys;
  readonly blobs: BlobStore;
  readonly logger: Logger;
  readonly monotonicMs: () => number;
}

export class ClusterViews {
  private readonly views = new Map<string, { readonly view: ClusterView; usedMs: number }>();

  constructor(private readonly deps: ClusterViewsDeps) {}

  of(cluster: string): ClusterView {
    const known = this.views.get(cluster);
    if (known !== undefined) {
      known.usedMs = this.deps.monotonicMs();
      return known.view;
    }
    const view = this.open(cluster);
    this.views.set(cluster, { view, usedMs: this.deps.monotonicMs() });
    return view;
  }

  /** How many readers wait, over all clusters. */
  get waiting(): number {
    let sum = 0;
    for (const { view } of this.views.values()) sum += waitingAt(view);
    return sum;
  }

  /** Closes what was not used for a minute and has no waiting reader. Called every now and then. */
  closeIdle(): void {
    const oldestMs = this.deps.monotonicMs() - IDLE_MS;
    for (const [name, { view, usedMs }] of this.views) {
      if (usedMs > oldestMs || waitingAt(view) > 0) continue;
      this.views.delete(name);
      closeView(view);
    }
  }

  /** Ends all waits; the manager is about to stop. */
  endWaits(): void {
    for (const { view } of this.views.values()) {
      view.feed.endWaits();
      view.placement.endWaits();
    }
  }

  /** Lets go of all views. */
  close(): void {
    for (const { view } of this.views.values()) closeView(view);
    this.views.clear();
  }

  private open(name: string): ClusterView {
    const { store, blobs, logger } = this.deps;
    const keys = this.deps.keys.cluster(name);
    const log = logger.child({ cluster: name });
    return {
      name,
      keys,
      feed: new ClusterFeed(keys, { store, blobs, logger: log }),
      placement: new PlacementFeed(keys.placement, { store, blobs, logger: log }),
      registry: new WatchedKey({
        store,
        key: keys.registry,
        logger: log,
        decode: (entry) => entry.modRevision,
      }),
      orders: new WatchedKey({
        store,
        key: keys.orders,
        logger: log,
        decode: (entry) => decodeRecord(entry, ordersRecord),
      }),
    };
  }
}

function waitingAt({ feed, placement }: ClusterView): number {
  return feed.waiting + placement.waiting;
}

function closeView(view: ClusterView): void {
  view.feed.close();
  view.placement.close();
  view.registry.close();
  view.orders.close();
}
