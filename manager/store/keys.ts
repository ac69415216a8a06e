// Every key that the manager writes, in one place. Names are percent-encoded, numbers padded so that they sort.
import { MAX_VERSION } from '../../shared/api/fields.js';
import { decodeName, encodeName } from '../../shared/api/names.js';

const VERSION_DIGITS = String(MAX_VERSION).length;

/** Sorts after every key below a prefix, because keys are ASCII. */
const AFTER_ALL = '\uffff';

export class Keys {
  /** @param prefix starts with a slash and does not end with one, e.g. `/clusterflux` */
  constructor(private readonly prefix: string) {}

  /** Everything of this store. */
  get root(): string {
    return `${this.prefix}/`;
  }
  /** There while no manager may work on this store: a restore has not ended, or its content was moved elsewhere. */
  get closed(): string {
    return `${this.prefix}/closed`;
  }
  /** All clusters. */
  get clusters(): string {
    return `${this.prefix}/clusters/`;
  }
  /** All managers that are there. */
  get managers(): string {
    return `${this.prefix}/managers/`;
  }
  /** A secret of this store, from which short digests are made that stand for passwords. */
  get maskKey(): string {
    return `${this.prefix}/mask-key`;
  }
  /** Held by the manager that does what only one has to do. */
  get caretaker(): string {
    return `${this.prefix}/caretaker`;
  }
  manager(id: string): string {
    return `${this.managers}${id}`;
  }
  /** Which node runs an influxd; over all clusters, because an influxd belongs to one. */
  influxd(identity: string): string {
    return `${this.prefix}/influxds/${encodeName(identity)}`;
  }
  cluster(name: string): ClusterKeys {
    return new ClusterKeys(`${this.clusters}${encodeName(name)}/`);
  }
  /** The name of the cluster that a key below `clusters` belongs to. */
  clusterOf(key: string): string {
    const rest = key.slice(this.clusters.length);
    return decodeName(rest.slice(0, rest.indexOf('/')));
  }
}

/** The keys of one cluster. */
export class ClusterKeys {
  constructor(readonly base: string) {}

  get placement(): PlacementKeys {
    return new PlacementKeys(this.base);
  }
  /** Greater than every key of this cluster and smaller than those of the next. */
  get end(): string {
    return `${this.base}${AFTER_ALL}`;
  }
  /** The pointer record: which version is the newest. */
  get meta(): string {
    return `${this.base}meta`;
  }
  get history(): string {
    return `${this.base}history/`;
  }
  historyOf(version: number): string {
    return `${this.history}${padded(version)}`;
  }
  get digests(): string {
    return `${this.base}digests/`;
  }
  digestOf(version: number): string {
    return `${this.digests}${padded(version)}`;
  }
  /** Accepted writes by idempotency key. */
  get writes(): string {
    return `${this.base}writes/`;
  }
  writeOf(idempotencyKey: string): string {
    return `${this.writes}${encodeName(idempotencyKey)}`;
  }
  /** The unproven drops that passed within the last hour. */
  get guard(): string {
    return `${this.base}guard`;
  }
  get chunks(): string {
    return `${this.base}chunks/`;
  }
  chunksOf(blob: string): string {
    return `${this.chunks}${blob}/`;
  }
  chunkOf(blob: string, index: number): string {
    return `${this.chunksOf(blob)}${String(index).padStart(5, '0')}`;
  }
  get nodes(): string {
    return `${this.base}nodes/`;
  }
  node(id: number): string {
    return `${this.nodes}${padded(id)}`;
  }
  /** Under a lease: there while the node is alive. */
  get alive(): string {
    return `${this.base}alive/`;
  }
  aliveOf(id: number): string {
    return `${this.alive}${padded(id)}`;
  }
  get statuses(): string {
    return `${this.base}status/`;
  }
  statusOf(id: number): string {
    return `${this.statuses}${padded(id)}`;
  }
  /** What a node holds for a person, beside its status: long lists would make those of nodes slow. */
  get held(): string {
    return `${this.base}held/`;
  }
  heldOf(id: number): string {
    return `${this.held}${padded(id)}`;
  }
  /** What people ordered: pauses and approvals, all in one record. */
  get orders(): string {
    return `${this.base}orders`;
  }
  get events(): string {
    return `${this.base}events/`;
  }
  eventOf(id: number): string {
    return `${this.events}${padded(id)}`;
  }
  /** Kept for ever: the id of the last event, so that none is given twice. */
  get eventHead(): string {
    return `${this.base}event-head`;
  }
  /** Which keys the kept events have. */
  get eventKeys(): string {
    return `${this.base}event-keys/`;
  }
  eventKeyOf(key: string): string {
    return `${this.eventKeys}${encodeName(key)}`;
  }
  /** Under a lease: there while the lock is held. */
  lock(name: string): string {
    return `${this.base}locks/${encodeName(name)}`;
  }
  /** Kept for ever: the last fencing number of a lock. */
  fence(name: string): string {
    return `${this.base}fences/${encodeName(name)}`;
  }
  /** Kept for ever: which id a uid was given. */
  uid(uid: string): string {
    return `${this.base}uids/${encodeName(uid)}`;
  }
  /** Kept for ever: the next id to give. */
  get nextId(): string {
    return `${this.base}next-id`;
  }
  /** Put whenever nodes come, go or move; its revision is the registry's. */
  get registry(): string {
    return `${this.base}registry`;
  }
}

/** Where the chunks of large values lie. */
export type ChunkKeys = Pick<ClusterKeys, 'chunkOf' | 'chunksOf'>;

/** The keys of the placement of one cluster, beside those of its metadata. */
export class PlacementKeys implements ChunkKeys {
  constructor(private readonly base: string) {}

  /** The pointer record: version, members, and where the groups of each database lie. */
  get pointer(): string {
    return `${this.base}placement`;
  }
  get chunks(): string {
    return `${this.base}placement-chunks/`;
  }
  chunksOf(blob: string): string {
    return `${this.chunks}${blob}/`;
  }
  chunkOf(blob: string, index: number): string {
    return `${this.chunksOf(blob)}${String(index).padStart(5, '0')}`;
  }
  /** Since when nodes that count are silent. */
  get silence(): string {
    return `${this.base}placement-silence`;
  }
  /** Numbered deletes. */
  get deletes(): string {
    return `${this.base}deletes/`;
  }
  deleteOf(number: number): string {
    return `${this.deletes}${padded(number)}`;
  }
  /** Which number an idempotency key was given. */
  get deleteKeys(): string {
    return `${this.base}delete-keys/`;
  }
  deleteKeyOf(key: string): string {
    return `${this.deleteKeys}${encodeName(key)}`;
  }
  /** Who holds hints for an owner that it could not tell. */
  get behind(): string {
    return `${this.base}behind/`;
  }
  behindOf(owner: number, holder: number): string {
    return `${this.behind}${padded(owner)}/${padded(holder)}`;
  }
}

/** The number at the end of a key. */
export function numberOf(key: string): number {
  return Number(key.slice(key.lastIndexOf('/') + 1));
}

function padded(number: number): string {
  return String(number).padStart(VERSION_DIGITS, '0');
}
