// What one manager does for all: forgetting etcd's history, hourly. Which one is decided by a key under its lease.
import type { Logger } from '../../shared/log/logger.js';
import type { LeaseId, Store } from '../store/port.js';
import type { EtcdUsage } from './quota-watch.js';

/** What only etcd needs. */
export interface Compactable {
  compact(revision: number, signal: AbortSignal): Promise<void>;
  /** How full it is. */
  usage(signal: AbortSignal): Promise<EtcdUsage>;
}

export interface CaretakerDeps {
  readonly store: Store;
  readonly etcd: Compactable;
  readonly key: string;
  readonly managerId: string;
  /** The lease of this manager's record; undefined while it has none. */
  readonly lease: () => LeaseId | undefined;
  readonly logger: Logger;
}

export class Caretaker {
  /** The revision an hour ago: readers of old revisions are long done. */
  private lastRevision: number | undefined;

  constructor(private readonly deps: CaretakerDeps) {}

  /** Called hourly. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, etcd, key } = this.deps;
    const { revision } = await store.range(key, { limit: 1, signal });
    const before = this.lastRevision;
    this.lastRevision = revision;
    if (!(await this.isElected(signal))) return;
    if (before === undefined) return;
    await etcd.compact(before, signal);
    this.deps.logger.debug('compacted the history of etcd', { revision: before });
  }

  /** Whether this manager is the one that does it; takes the office where nobody holds it. */
  async isElected(signal: AbortSignal): Promise<boolean> {
    const { store, key, managerId } = this.deps;
    const leaseId = this.deps.lease();
    if (leaseId === undefined) return false;
    const put = { put: key, value: Buffer.from(managerId), leaseId };
    const { kind } = await store.transact([{ key, is: 'absent' }], [put], signal);
    if (kind === 'committed') return true;
    return (await store.get(key, { signal }))?.value.toString() === managerId;
  }
}
