// Lists nodes and managers, read from the store at one revision each: what was registered on one manager is listed by all.
import type { ManagerBody, NodeBody, RegistryBody } from '../../shared/api/nodes.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { ClusterView, ClusterViews } from '../metadata/cluster-views.js';
import { numberOf, type Keys } from '../store/keys.js';
import type { Entry, Store } from '../store/port.js';
import { rangeAll } from '../store/range-all.js';
import { decodeRecord } from '../store/records.js';
import { listClusterNames } from '../store/cluster-names.js';
import type { Heartbeats } from './heartbeats.js';
import { ordersFor } from './orders.js';
import {
  heldRecord,
  NO_ORDERS_RECORD,
  ordersRecord,
  type HeldRecord,
  type OrdersRecord,
} from './orders-record.js';
import {
  aliveRecord,
  managerRecord,
  nodeRecord,
  statusRecord,
  type NodeRecord,
  type StatusRecord,
} from './records.js';
import type { StoreContact } from './store-contact.js';

export interface DirectoryDeps {
  readonly store: Store;
  readonly keys: Keys;
  readonly views: ClusterViews;
  readonly heartbeats: Heartbeats;
  readonly contact: StoreContact;
  readonly clock: Clock;
}

export class Directory {
  constructor(private readonly deps: DirectoryDeps) {}

  /** The nodes of one cluster, by id; undefined where the cluster was never heard of. */
  async nodes(view: ClusterView, signal: AbortSignal): Promise<NodeBody[] | undefined> {
    const { store } = this.deps;
    const { keys } = view;
    const nodes = await rangeAll(store, keys.nodes, { signal });
    if (nodes.entries.length === 0) {
      const [registry, meta] = await Promise.all([
        store.get(keys.registry, { signal }),
        view.feed.newest(),
      ]);
      return registry === undefined && meta === undefined ? undefined : [];
    }
    const at = { revision: nodes.revision, signal };
    const [alive, statuses, ordersEntry, flags] = await Promise.all([
      rangeAll(store, keys.alive, at),
      rangeAll(store, keys.statuses, at),
      store.get(keys.orders, at),
      rangeAll(store, keys.placement.behind, { ...at, keysOnly: true }),
    ]);
    const orders = ordersIn(ordersEntry);
    const aliveById = byId(alive.entries);
    const statusById = byId(statuses.entries);
    return nodes.entries.map((entry) => {
      const node = decodeRecord(entry, nodeRecord);
      return this.bodyOf(view.name, node, {
        alive: aliveById.get(node.id),
        status: statusById.get(node.id),
        orders,
        flags: flags.entries,
      });
    });
  }

  /** One node; undefined where it is not registered. */
  async node(view: ClusterView, id: number, signal: AbortSignal): Promise<NodeBody | undefined> {
    const { store } = this.deps;
    const [node, alive, status, orders, held, flags] = await Promise.all([
      store.get(view.keys.node(id), { signal }),
      store.get(view.keys.aliveOf(id), { signal }),
      store.get(view.keys.statusOf(id), { signal }),
      store.get(view.keys.orders, { signal }),
      store.get(view.keys.heldOf(id), { signal }),
      rangeAll(store, view.keys.placement.behind, { keysOnly: true, signal }),
    ]);
    if (node === undefined) return undefined;
    return this.bodyOf(view.name, decodeRecord(node, nodeRecord), {
      alive,
      status,
      orders: ordersIn(orders),
      flags: flags.entries,
      ...(held === undefined ? {} : { held: decodeRecord(held, heldRecord) }),
    });
  }

  async managers(signal: AbortSignal): Promise<ManagerBody[]> {
    const { store, keys } = this.deps;
    const { entries } = await rangeAll(store, keys.managers, { signal });
    return entries.map((entry) => {
      const { id, hostname, ip, bindAddress, version } = decodeRecord(entry, managerRecord);
      // The record lies under the manager's lease: it is there only while the manager is.
      return { id, hostname, ip, 'bind-address': bindAddress, alive: true, version };
    });
  }

  /** Managers and all nodes of all clusters. */
  async all(signal: AbortSignal): Promise<RegistryBody> {
    const { store, keys, views } = this.deps;
    const [cflux, names] = await Promise.all([
      this.managers(signal),
      listClusterNames(store, keys, signal),
    ]);
    const influx: NodeBody[] = [];
    for (const name of names) influx.push(...((await this.nodes(views.of(name), signal)) ?? []));
    return { cflux, influx };
  }

  private bodyOf(
    cluster: string,
    node: NodeRecord,
    { alive: aliveEntry, status: statusEntry, orders, held, flags }: Beside,
  ): NodeBody {
    const status = statusEntry === undefined ? undefined : decodeRecord(statusEntry, statusRecord);
    const aliveAt = aliveEntry === undefined ? undefined : decodeRecord(aliveEntry, aliveRecord).at;
    const alive = aliveEntry !== undefined || this.deps.contact.isInGrace;
    const seen = [
      node.registeredAt,
      aliveAt,
      status?.at,
      isoOf(this.deps.heartbeats.lastSeenMs(cluster, node.id)),
    ];
    return {
      id: node.id,
      cluster,
      ...(node.uid === undefined ? {} : { uid: node.uid }),
      hostname: node.hostname,
      ip: node.ips.join(','),
      'bind-address': node.bindAddress,
      alive,
      'last-seen': latest(seen),
      labels: node.labels,
      versions: node.versions,
      ...statusBody(status),
      ...behindBody(node.id, flags),
      paused: ordersFor(orders, node.id).paused,
      held: held ?? status?.held ?? null,
    };
  }
}

/** What lies beside a node's record. */
interface Beside {
  readonly alive: Entry | undefined;
  readonly status: Entry | undefined;
  readonly orders: OrdersRecord;
  /** Who holds hints for whom and could not tell: keys of all of the cluster. */
  readonly flags: readonly Entry[];
  /** With its items; else the status tells how many there are. */
  readonly held?: HeldRecord;
}

function ordersIn(entry: Entry | undefined): OrdersRecord {
  return entry === undefined ? NO_ORDERS_RECORD : decodeRecord(entry, ordersRecord);
}

function statusBody(
  status: StatusRecord | undefined,
): Pick<NodeBody, 'version' | 'state' | 'pending' | 'hints' | 'influxd'> {
  if (status === undefined) return { version: 0, state: 'registered', pending: 0, hints: [] };
  const { version, state, pending, hints, influxd } = status;
  if (influxd === undefined) return { version, state, pending, hints };
  const { clusterId, term, index, started } = influxd;
  return {
    version,
    state,
    pending,
    hints,
    influxd: { 'cluster-id': clusterId, term, index, started },
  };
}

/** Absent where nobody holds any: the usual. */
function behindBody(owner: number, flags: readonly Entry[]): Pick<NodeBody, 'behind'> {
  const ofOwner = flags.filter(({ key }) => numberOf(key.slice(0, key.lastIndexOf('/'))) === owner);
  return ofOwner.length === 0 ? {} : { behind: ofOwner.map(({ key }) => numberOf(key)) };
}

function byId(entries: readonly Entry[]): Map<number, Entry> {
  return new Map(entries.map((entry) => [numberOf(entry.key), entry]));
}

function isoOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

/** RFC 3339 in UTC with the same digits sorts as text. */
function latest(times: readonly (string | undefined)[]): string {
  return times.reduce<string>(
    (best, time) => (time !== undefined && time > best ? time : best),
    '',
  );
}
