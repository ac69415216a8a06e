// What the manager needs of a store: keys with revisions, compare-and-swap, watches and leases, in etcd's terms.
// Adapters only translate; everything that means something (versions, nodes, ids) is written once above this port.

/** One key as it stands. Revisions are the store's own counter: one per committed transaction, never reused. */
export interface Entry {
  readonly key: string;
  readonly value: Buffer;
  /** Revision at which the key came into being (again, after a delete). */
  readonly createRevision: number;
  /** Revision of the last put. */
  readonly modRevision: number;
  readonly leaseId: LeaseId | undefined;
}

/** Opaque; decimal text, because etcd's ids are 64 bits wide. */
export type LeaseId = string;

/** A condition of a transaction. */
export type Comparison =
  | { readonly key: string; readonly is: 'absent' }
  | { readonly key: string; readonly is: 'present' }
  | { readonly key: string; readonly is: 'at'; readonly modRevision: number }
  | { readonly key: string; readonly is: 'equal'; readonly value: Buffer };

/**
 * A change of a transaction. No key may be put twice, or put and deleted, in one transaction; the order within it means
 * nothing. See limits.ts for how much one transaction takes. A put without a lease takes the key off the one it was under.
 */
export type Operation =
  | { readonly put: string; readonly value: Buffer; readonly leaseId?: LeaseId }
  | { readonly delete: string }
  | { readonly deletePrefix: string };

/**
 * `revision` is the store's after the transaction. One that changes nothing (it deletes what is not there) is committed too,
 * and does not raise it.
 * `refused`: a comparison did not hold and nothing was changed; a value, not an error.
 */
export type TransactionResult =
  | { readonly kind: 'committed'; readonly revision: number }
  | { readonly kind: 'refused'; readonly revision: number };

export interface RangeOptions {
  /** At most so many entries, in key order (by bytes). */
  readonly limit?: number;
  readonly descending?: boolean;
  readonly keysOnly?: boolean;
  /** Read as of this revision (may be compacted: throws `store-unavailable`, retryable). */
  readonly revision?: number;
  /** Only keys greater than this one, whether it is there or not (in either direction). */
  readonly after?: string;
  readonly signal?: AbortSignal;
}

export interface RangeResult {
  readonly entries: readonly Entry[];
  /** The revision as of which this was read: the one asked for, else the store's own. */
  readonly revision: number;
  readonly hasMore: boolean;
}

/** What a watch tells. `reset`: events may have been missed (compaction, reconnect, silence): read again. */
export type WatchEvent =
  | { readonly kind: 'put'; readonly entry: Entry }
  | { readonly kind: 'delete'; readonly key: string; readonly revision: number }
  | { readonly kind: 'reset' };

export interface Watch {
  close(): void;
}

export interface StoreHealth {
  readonly reachable: boolean;
  /** Why not, in one sentence; or what to know (quota, version). */
  readonly detail: string;
}

/**
 * Every call has the adapter's own deadline besides the caller's signal. Throws AppError `store-unavailable` (nothing was
 * done, or it was a read), `aborted` (by the signal; nothing was done, or it was a read) or, for `transact` alone,
 * `outcome-unknown` (it may have been committed: the caller finds out; a signal that is aborted while the transaction is on
 * its way gives this too). A put under a lease that is gone gives `store-unavailable` with `details.reason` = `lease-gone`.
 * Reads are linearizable.
 */
export interface Store {
  /** Where the state is, for logs and status: an etcd endpoint list, a directory, `memory`. */
  readonly location: string;
  get(
    key: string,
    options?: { readonly revision?: number; readonly signal?: AbortSignal },
  ): Promise<Entry | undefined>;
  range(prefix: string, options?: RangeOptions): Promise<RangeResult>;
  /** All of `operations` when all of `comparisons` hold, else nothing. Adapters never retry it by themselves. */
  transact(
    comparisons: readonly Comparison[],
    operations: readonly Operation[],
    signal?: AbortSignal,
  ): Promise<TransactionResult>;
  /**
   * Calls back for every change below `prefix` after the call resolved, in order of revision; after any trouble it calls
   * `reset` once it is watching again. Never throws later and never ends by itself before `close`. Changes shortly before
   * the call may be told too. The callback must not throw.
   */
  watch(prefix: string, onEvent: (event: WatchEvent) => void, signal?: AbortSignal): Promise<Watch>;
  /** Whole seconds, rounded up; a store may raise small ones (etcd: to 2 s). */
  grantLease(ttlSeconds: number, signal?: AbortSignal): Promise<LeaseId>;
  /** Renews it: true, or false where the lease is gone (its keys with it). */
  keepAlive(lease: LeaseId, signal?: AbortSignal): Promise<boolean>;
  /** Ends it and deletes its keys; one that is gone already is no error. */
  revokeLease(lease: LeaseId, signal?: AbortSignal): Promise<void>;
  /** Never throws: a store that is out of reach is an answer. */
  health(signal?: AbortSignal): Promise<StoreHealth>;
  /** Ends watches and connections within a second; calls that come later throw `store-unavailable`. */
  close(): Promise<void>;
}
