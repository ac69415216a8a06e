// The services of a manager over one store, wired together: what the HTTP API calls. No I/O happens here.
import type { Clock } from '../shared/lifecycle/clock.js';
import type { Logger } from '../shared/log/logger.js';
import { BlobStore } from './metadata/blob-store.js';
import { ClusterViews } from './metadata/cluster-views.js';
import { Clusters } from './metadata/clusters.js';
import { History } from './metadata/history.js';
import { Lineage } from './metadata/lineage.js';
import { Masks } from './metadata/masks.js';
import { Publisher } from './metadata/publisher.js';
import { Reader } from './metadata/reader.js';
import { Retention, RETENTION } from './metadata/retention.js';
import { Sweep } from './metadata/sweep.js';
import { Directory } from './nodes/directory.js';
import { Heartbeats } from './nodes/heartbeats.js';
import { InfluxdClaims } from './nodes/influxd-claims.js';
import { Registrar } from './nodes/registrar.js';
import { StoreContact } from './nodes/store-contact.js';
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
  const lineage = new Lineage({ store, logger });
  const claims = new InfluxdClaims({ store, keys });
  const ttlSeconds = Math.ceil(ttlMs / 1_000);
  const heartbeats = new Heartbeats({ store, claims, clock, logger, ttlSeconds });
  const retention = new Retention({ store, clock, rules: { ...RETENTION, always: history } });
  return {
    keys,
    views,
    contact,
    ttlSeconds,
    heartbeats,
    reader: new Reader({ lineage }),
    publisher: new Publisher({ store, blobs, lineage, retention, clock }),
    retention,
    sweep: new Sweep({ store, clock, logger }),
    history: new History({ store, blobs }),
    masks: new Masks({ store, keys }),
    registrar: new Registrar({ store, claims, clock, ttlSeconds }),
    directory: new Directory({ store, keys, views, heartbeats, contact, clock }),
    clusters: new Clusters({ store, keys, views, isInGrace: () => contact.isInGrace }),
  };
}
