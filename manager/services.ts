// The services of a manager over one store, wired together: what the HTTP API calls. No I/O happens here.
import type { PlacementConfig } from '../shared/config/config.js';
import type { Clock } from '../shared/lifecycle/clock.js';
import type { Logger } from '../shared/log/logger.js';
import { Events } from './events/events.js';
import { clusterForked, rolledBack } from './events/tellings.js';
import { Locks } from './locks/locks.js';
import { BlobStore } from './metadata/blob-store.js';
import { ClusterViews } from './metadata/cluster-views.js';
import { Clusters } from './metadata/clusters.js';
import { Guard } from './metadata/guard.js';
import { History } from './metadata/history.js';
import { Lineage } from './metadata/lineage.js';
import { Masks } from './metadata/masks.js';
import { Publisher } from './metadata/publisher.js';
import { Reader } from './metadata/reader.js';
import { Retention, RETENTION } from './metadata/retention.js';
import { Rollback } from './metadata/rollback.js';
import { Sweep } from './metadata/sweep.js';
import { Directory } from './nodes/directory.js';
import { Heartbeats } from './nodes/heartbeats.js';
import { InfluxdClaims } from './nodes/influxd-claims.js';
import { LivenessWatch } from './nodes/liveness-watch.js';
import { Orders } from './nodes/orders.js';
import { Registrar } from './nodes/registrar.js';
import { Sessions } from './nodes/sessions.js';
import { StoreContact } from './nodes/store-contact.js';
import { Placements } from './placement/placements.js';
import { Keys } from './store/keys.js';
import type { Store } from './store/port.js';

export interface ServicesOptions {
  readonly store: Store;
  readonly logger: Logger;
  readonly clock: Clock;
  /** `etcd.prefix`. */
  readonly prefix: string;
  /** `etcd.ttl`: how long a node counts as alive without a heartbeat. */
  readonly ttlMs: number;
  /** `manager.history`: versions that are kept in any case. */
  readonly history: number;
  /** `guard.max-drops`. */
  readonly maxDrops: number;
  /** `manager.max-events`: kept per cluster. */
  readonly maxEvents: number;
  /** `placement.*` */
  readonly placement: PlacementConfig;
}

export type Services = ReturnType<typeof createServices>;

export function createServices(options: ServicesOptions) {
  const { store, logger, clock, prefix, ttlMs, history } = options;
  const keys = new Keys(prefix);
  const monotonicMs = () => clock.monotonicMs();
  const blobs = new BlobStore({ store, nowMs: () => clock.nowMs() });
  const views = new ClusterViews({ store, keys, blobs, logger, monotonicMs });
  const contact = new StoreContact({
    location: store.location,
    logger,
    monotonicMs,
    graceMs: ttlMs,
  });
  const masks = new Masks({ store, keys });
  const { maxEvents } = options;
  const events = new Events({ store, keys, masks, clock, logger, maxEvents });
  const lineage = new Lineage({
    store,
    logger,
    onFork: (cluster, forked) => {
      events.tell(cluster, clusterForked(forked));
    },
  });
  const claims = new InfluxdClaims({ store, keys });
  const ttlSeconds = Math.ceil(ttlMs / 1_000);
  const heartbeats = new Heartbeats({ store, claims, clock, logger, ttlSeconds });
  const retention = new Retention({ store, clock, rules: { ...RETENTION, always: history } });
  const guard = new Guard({ store, clock, maxDrops: options.maxDrops });
  const publisher = new Publisher({ store, blobs, lineage, retention, guard, clock });
  const versions = new History({ store, blobs });
  return {
    keys,
    views,
    contact,
    ttlSeconds,
    heartbeats,
    reader: new Reader({ lineage }),
    publisher,
    rollback: new Rollback({
      publisher,
      history: versions,
      guard,
      onRollback: (done) => {
        events.tell(done.cluster, rolledBack(done));
      },
    }),
    retention,
    sweep: new Sweep({ store, clock, logger }),
    history: versions,
    masks,
    events,
    locks: new Locks({ store }),
    orders: new Orders({ store, clock }),
    liveness: new LivenessWatch({ store, keys, events, contact, clock, logger, ttlSeconds }),
    sessions: new Sessions(store),
    registrar: new Registrar({ store, claims, clock, ttlSeconds }),
    directory: new Directory({ store, keys, views, heartbeats, contact, clock }),
    placements: new Placements({
      store,
      blobs,
      clock,
      contact,
      tell: (cluster, event) => {
        events.tell(cluster, event);
      },
      ...options.placement,
    }),
    clusters: new Clusters({ store, keys, views, isInGrace: () => contact.isInGrace }),
  };
}
