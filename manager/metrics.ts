// What a manager counts. Names are `clusterflux_manager_*`; labels never carry names that users give.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Store } from './store/port.js';

const PREFIX = 'clusterflux_manager_';

/** From a keep-alive on loopback to a store at its deadline. */
const STORE_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
/** The last buckets are long polls. */
const REQUEST_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300,
];

export class ManagerMetrics {
  readonly requests: Counter<'route' | 'method' | 'status'>;
  readonly requestSeconds: Histogram<'route' | 'method'>;
  readonly writes: Counter<'outcome'>;
  readonly forks: Counter;
  readonly registrations: Counter<'kind'>;
  readonly tokens: Counter<'token'>;
  readonly refusals: Counter<'reason'>;
  readonly storeSeconds: Histogram<'op'>;
  readonly storeErrors: Counter<'op'>;
  readonly storeReachable: Gauge;
  readonly nodesAlive: Gauge;
  readonly nodes: Gauge;
  readonly clusters: Gauge;
  readonly etcdBytes: Gauge;
  readonly etcdQuotaBytes: Gauge;
  readonly etcdAlarms: Gauge;

  /** @param waiting how many readers wait right now */
  constructor(registry: Registry, waiting: () => number) {
    const registers = [registry];
    this.requests = new Counter({
      name: `${PREFIX}requests_total`,
      help: 'Requests answered.',
      labelNames: ['route', 'method', 'status'],
      registers,
    });
    this.requestSeconds = new Histogram({
      name: `${PREFIX}request_duration_seconds`,
      help: 'From the arrival of a request to the end of its answer; long polls wait.',
      labelNames: ['route', 'method'],
      buckets: REQUEST_BUCKETS,
      registers,
    });
    this.writes = new Counter({
      name: `${PREFIX}writes_total`,
      help: 'Writes of versions: accepted, or lost to another writer (a compare-and-swap conflict).',
      labelNames: ['outcome'],
      registers,
    });
    this.forks = new Counter({
      name: `${PREFIX}forks_total`,
      help: 'Callers who knew a version that is not in the line of its cluster.',
      registers,
    });
    this.registrations = new Counter({
      name: `${PREFIX}registrations_total`,
      help: 'Registrations of nodes, new or known.',
      labelNames: ['kind'],
      registers,
    });
    this.tokens = new Counter({
      name: `${PREFIX}token_requests_total`,
      help: 'Requests let in by a token, named by its role and the first digits of its digest.',
      labelNames: ['token'],
      registers,
    });
    this.refusals = new Counter({
      name: `${PREFIX}refusals_total`,
      help: 'Requests refused: without a token, with a wrong one, forbidden to its role, or rate-limited.',
      labelNames: ['reason'],
      registers,
    });
    this.storeSeconds = new Histogram({
      name: `${PREFIX}store_duration_seconds`,
      help: 'Calls of the store, by operation.',
      labelNames: ['op'],
      buckets: STORE_BUCKETS,
      registers,
    });
    this.storeErrors = new Counter({
      name: `${PREFIX}store_errors_total`,
      help: 'Calls of the store that failed, by operation.',
      labelNames: ['op'],
      registers,
    });
    this.storeReachable = new Gauge({
      name: `${PREFIX}store_reachable`,
      help: '1 while the store answers, else 0.',
      registers,
    });
    this.nodesAlive = new Gauge({
      name: `${PREFIX}nodes_alive`,
      help: 'Nodes with a heartbeat within the TTL, over all clusters, as last looked at.',
      registers,
    });
    this.nodes = new Gauge({
      name: `${PREFIX}nodes`,
      help: 'Registered nodes over all clusters, as last looked at.',
      registers,
    });
    this.clusters = new Gauge({
      name: `${PREFIX}clusters`,
      help: 'Clusters, as last looked at.',
      registers,
    });
    this.etcdBytes = new Gauge({
      name: `${PREFIX}etcd_database_bytes`,
      help: "Size of etcd's database file, as last looked at; 0 with another store.",
      registers,
    });
    this.etcdQuotaBytes = new Gauge({
      name: `${PREFIX}etcd_quota_bytes`,
      help: 'What etcd.quota says that etcd takes at most; 0 with another store.',
      registers,
    });
    this.etcdAlarms = new Gauge({
      name: `${PREFIX}etcd_alarms`,
      help: 'Alarms and errors that etcd reports of itself.',
      registers,
    });
    new Gauge({
      name: `${PREFIX}waiting_readers`,
      help: 'Readers that wait for a new version right now.',
      registers,
      collect() {
        this.set(waiting());
      },
    });
  }
}

/** The same store, with the time and the failures of each call counted. */
export function measuredStore(store: Store, metrics: ManagerMetrics): Store {
  const timed = async <T>(op: string, call: () => Promise<T>): Promise<T> => {
    const end = metrics.storeSeconds.startTimer({ op });
    try {
      return await call();
    } catch (error) {
      metrics.storeErrors.inc({ op });
      throw error;
    } finally {
      end();
    }
  };
  return {
    location: store.location,
    get: (...args) => timed('get', () => store.get(...args)),
    range: (...args) => timed('range', () => store.range(...args)),
    transact: (...args) => timed('transact', () => store.transact(...args)),
    watch: (...args) => timed('watch', () => store.watch(...args)),
    grantLease: (...args) => timed('grant-lease', () => store.grantLease(...args)),
    keepAlive: (...args) => timed('keep-alive', () => store.keepAlive(...args)),
    revokeLease: (...args) => timed('revoke-lease', () => store.revokeLease(...args)),
    health: (...args) => timed('health', () => store.health(...args)),
    close: () => store.close(),
  };
}
