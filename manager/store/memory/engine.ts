// The state machine of the stores that live in this process: keys, revisions, leases and transactions, with etcd's meaning.
// Synchronous and without I/O: it plans commits and applies them; who makes them durable and tells watchers is not its business.
import { AppError } from '../../../shared/errors/app-error.js';
import type { Comparison, Entry, LeaseId, Operation, RangeOptions, WatchEvent } from '../port.js';
import { KeyHistory, type HistoryLimits } from './key-history.js';
import { LeaseTable } from './lease-table.js';

/** One change of a commit, already resolved: applying it never fails. */
export type Change =
  | { readonly put: string; readonly value: Buffer; readonly leaseId?: LeaseId }
  | { readonly delete: string }
  | { readonly grant: LeaseId; readonly ttlSeconds: number }
  | { readonly revoke: LeaseId };

/** What changes at once. `revision` is the store's after it; a commit that touches leases only does not raise it. */
export interface Commit {
  readonly revision: number;
  readonly changes: readonly Change[];
}

/** What a restart needs: everything that stands, no past. */
export interface EngineState {
  readonly revision: number;
  readonly entries: readonly Entry[];
  readonly leases: readonly { readonly id: LeaseId; readonly ttlSeconds: number }[];
}

export class Engine {
  private readonly keys: KeyHistory;
  readonly leases = new LeaseTable();
  private currentRevision = 0;

  constructor(limits?: HistoryLimits) {
    this.keys = new KeyHistory(limits);
  }

  /** Revision of the last commit; 0 where there was none. */
  get revision(): number {
    return this.currentRevision;
  }

  get(key: string, revision?: number): Entry | undefined {
    this.assertRevision(revision);
    return this.keys.get(key, revision);
  }

  /** The entries below a prefix as the options say, and whether there are more than the limit. */
  range(prefix: string, options: RangeOptions = {}): { entries: Entry[]; hasMore: boolean } {
    this.assertRevision(options.revision);
    const entries: Entry[] = [];
    for (const entry of this.keys.below(prefix, options)) {
      if (options.limit !== undefined && entries.length >= options.limit) {
        return { entries, hasMore: true };
      }
      entries.push(options.keysOnly === true ? { ...entry, value: Buffer.alloc(0) } : entry);
    }
    return { entries, hasMore: false };
  }

  /** The commit that a transaction amounts to now, or undefined where a comparison does not hold. */
  plan(comparisons: readonly Comparison[], operations: readonly Operation[]): Commit | undefined {
    if (!comparisons.every((comparison) => this.holds(comparison))) return undefined;
    return this.commitOf(operations.flatMap((operation) => this.resolve(operation)));
  }

  planGrant(id: LeaseId, ttlSeconds: number): Commit {
    return this.commitOf([{ grant: id, ttlSeconds }]);
  }

  /** The commit that ends a lease and deletes its keys; undefined where the lease is not there. */
  planRevoke(id: LeaseId): Commit | undefined {
    const keys = this.leases.keysOf(id);
    if (keys === undefined) return undefined;
    const deletes = keys.map((key) => ({ delete: key }));
    return this.commitOf([...deletes, { revoke: id }]);
  }

  /** Applies a commit that was planned on exactly this state (or comes from the log); returns what watchers should see. */
  apply(commit: Commit, nowMs: number): WatchEvent[] {
    this.currentRevision = commit.revision;
    return commit.changes.flatMap((change) => this.applyChange(change, commit.revision, nowMs));
  }

  /** Everything that stands now, for a snapshot; shares its buffers with the engine. */
  state(): EngineState {
    return {
      revision: this.currentRevision,
      entries: [...this.keys.below('')],
      leases: this.leases.all(),
    };
  }

  /** Takes over a state as it was saved; each lease gets one full TTL from `nowMs`. */
  restore(state: EngineState, nowMs: number): void {
    this.currentRevision = state.revision;
    for (const lease of state.leases) this.leases.grant(lease.id, lease.ttlSeconds, nowMs);
    for (const entry of state.entries) {
      this.keys.set(entry.key, entry, entry.modRevision);
      if (entry.leaseId !== undefined) this.leases.attach(entry.leaseId, entry.key);
    }
    this.keys.compact(state.revision);
  }

  /** Forgets what only readers below `revision` need. */
  compact(revision: number): void {
    this.keys.compact(revision);
  }

  private commitOf(changes: readonly Change[]): Commit {
    const changesKeys = changes.some((change) => 'put' in change || 'delete' in change);
    return { revision: this.currentRevision + (changesKeys ? 1 : 0), changes };
  }

  private holds(comparison: Comparison): boolean {
    const entry = this.keys.get(comparison.key);
    switch (comparison.is) {
      case 'absent':
        return entry === undefined;
      case 'present':
        return entry !== undefined;
      case 'at':
        return (entry?.modRevision ?? 0) === comparison.modRevision;
      case 'equal':
        return entry?.value.equals(comparison.value) ?? false;
    }
  }

  private resolve(operation: Operation): Change[] {
    if ('put' in operation) {
      if (operation.leaseId !== undefined) this.leases.assertKnown(operation.leaseId);
      // A copy, because the caller may go on writing into its buffer.
      return [{ ...operation, value: Buffer.from(operation.value) }];
    }
    if ('delete' in operation) {
      return this.keys.get(operation.delete) === undefined ? [] : [{ delete: operation.delete }];
    }
    return [...this.keys.below(operation.deletePrefix)].map((entry) => ({ delete: entry.key }));
  }

  private applyChange(change: Change, revision: number, nowMs: number): WatchEvent[] {
    if ('put' in change) return [this.put(change, revision)];
    if ('delete' in change) return this.delete(change.delete, revision);
    if ('grant' in change) this.leases.grant(change.grant, change.ttlSeconds, nowMs);
    else this.leases.remove(change.revoke);
    return [];
  }

  private put(change: Extract<Change, { put: string }>, revision: number): WatchEvent {
    const before = this.keys.get(change.put);
    const entry: Entry = {
      key: change.put,
      value: change.value,
      createRevision: before?.createRevision ?? revision,
      modRevision: revision,
      leaseId: change.leaseId,
    };
    if (before?.leaseId !== undefined) this.leases.detach(before.leaseId, entry.key);
    if (entry.leaseId !== undefined) this.leases.attach(entry.leaseId, entry.key);
    this.keys.set(entry.key, entry, revision);
    return { kind: 'put', entry };
  }

  private delete(key: string, revision: number): WatchEvent[] {
    const before = this.keys.get(key);
    if (before === undefined) return [];
    if (before.leaseId !== undefined) this.leases.detach(before.leaseId, key);
    this.keys.set(key, undefined, revision);
    return [{ kind: 'delete', key, revision }];
  }

  private assertRevision(revision: number | undefined): void {
    if (revision === undefined) return;
    if (revision > this.currentRevision) {
      throw new AppError(
        'store-unavailable',
        `reading at revision ${revision} failed because the store is only at revision ${this.currentRevision}; start the read anew`,
        { status: 503, retryable: true, details: { revision, newest: this.currentRevision } },
      );
    }
    this.keys.assertReadable(revision);
  }
}
