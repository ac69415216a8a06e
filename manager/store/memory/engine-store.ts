// The store port over an engine in this process, with an optional journal that makes commits durable.
// Nothing that is not durable is ever told: not by an answer, not by a read, not by a watch.
import { randomBytes } from 'node:crypto';
import { AppError } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import { assertNotAborted, bounded } from '../deadline.js';
import { assertTransactionFits } from '../limits.js';
import type {
  Comparison,
  Entry,
  LeaseId,
  Operation,
  RangeOptions,
  RangeResult,
  Store,
  StoreHealth,
  TransactionResult,
  Watch,
  WatchEvent,
} from '../port.js';
import type { Commit, Engine } from './engine.js';
import { LeaseExpiry } from './lease-expiry.js';
import { WatchHub } from './watch-hub.js';

/** Makes commits durable, in the order in which they are appended. */
export interface Journal {
  /** Resolves when this commit and all before it are on disk; rejects with AppError where that failed, and from then on. */
  append(commit: Commit): Promise<void>;
  /** Resolves when everything appended so far is on disk. */
  flushed(): Promise<void>;
  /** Why nothing can be written any more; undefined while all is well. */
  readonly failure: AppError | undefined;
  /** Revision up to which everything is on disk. */
  readonly durableRevision: number;
  close(): Promise<void>;
}

export interface EngineStoreDeps {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly location: string;
  /** Absent: nothing is durable (the memory store). */
  readonly journal?: Journal;
  /** Deadline of a call that waits for the journal. */
  readonly timeoutMs?: number;
}

/** Shorter TTLs are raised to it, as etcd does (its floor follows from its election timeout). */
export const MIN_LEASE_TTL_SECONDS = 2;

/** A disk that takes longer to sync than this is as good as gone. */
const DEFAULT_TIMEOUT_MS = 5_000;

export class EngineStore implements Store {
  readonly location: string;
  private readonly hub = new WatchHub();
  private readonly closing = new AbortController();
  private readonly unpublished: { revision: number; events: WatchEvent[] }[] = [];
  private readonly expiry: LeaseExpiry;

  constructor(private readonly deps: EngineStoreDeps) {
    this.location = deps.location;
    this.expiry = new LeaseExpiry({
      clock: deps.clock,
      // After the journal failed nothing can be deleted any more, leases included.
      nextExpiryMs: () =>
        deps.journal?.failure === undefined ? deps.engine.leases.nextExpiryMs() : undefined,
      endDue: () => this.endDueLeases(),
    });
    this.expiry.wake();
  }

  async get(
    key: string,
    options: { readonly revision?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Entry | undefined> {
    this.assertUsable(options.signal);
    const entry = this.deps.engine.get(key, options.revision ?? this.readRevision());
    await this.untilDurable(options.signal);
    return entry;
  }

  async range(prefix: string, options: RangeOptions = {}): Promise<RangeResult> {
    this.assertUsable(options.signal);
    const revision = options.revision ?? this.readRevision();
    const readAt = revision ?? this.deps.engine.revision;
    const result = this.deps.engine.range(prefix, { ...options, revision: readAt });
    await this.untilDurable(options.signal);
    return { ...result, revision: readAt };
  }

  async transact(
    comparisons: readonly Comparison[],
    operations: readonly Operation[],
    signal?: AbortSignal,
  ): Promise<TransactionResult> {
    this.assertUsable(signal);
    assertTransactionFits(comparisons, operations);
    this.assertWritable();
    const commit = this.deps.engine.plan(comparisons, operations);
    if (commit === undefined) {
      const { revision } = this.deps.engine;
      await this.untilDurable(signal);
      return { kind: 'refused', revision };
    }
    await this.commit(commit, signal);
    return { kind: 'committed', revision: commit.revision };
  }

  async watch(
    prefix: string,
    onEvent: (event: WatchEvent) => void,
    signal?: AbortSignal,
  ): Promise<Watch> {
    this.assertUsable(signal);
    return this.hub.add({ prefix, afterRevision: this.deps.engine.revision, onEvent });
  }

  async grantLease(ttlSeconds: number, signal?: AbortSignal): Promise<LeaseId> {
    this.assertUsable(signal);
    this.assertWritable();
    const id = newLeaseId();
    const ttl = Math.max(Math.ceil(ttlSeconds), MIN_LEASE_TTL_SECONDS);
    await this.commit(this.deps.engine.planGrant(id, ttl), signal);
    this.expiry.wake();
    return id;
  }

  async keepAlive(lease: LeaseId, signal?: AbortSignal): Promise<boolean> {
    this.assertUsable(signal);
    if (this.deps.engine.leases.renew(lease, this.now())) return true;
    // False promises that the keys are gone too, so a lease that is just due ends now.
    this.assertWritable();
    await this.endLease(lease, signal);
    return false;
  }

  async revokeLease(lease: LeaseId, signal?: AbortSignal): Promise<void> {
    this.assertUsable(signal);
    this.assertWritable();
    await this.endLease(lease, signal);
  }

  async health(): Promise<StoreHealth> {
    if (this.closing.signal.aborted) return { reachable: false, detail: this.closed().message };
    const failure = this.deps.journal?.failure;
    if (failure !== undefined) return { reachable: false, detail: failure.message };
    return { reachable: true, detail: `at revision ${this.deps.engine.revision}` };
  }

  /** Ends watches and waits, and makes durable what was answered. Calls that come later throw `store-unavailable`. */
  async close(): Promise<void> {
    this.closing.abort();
    this.hub.closeAll();
    await this.expiry.close();
    await this.deps.journal?.close();
  }

  private async commit(commit: Commit, signal?: AbortSignal): Promise<void> {
    const events = this.deps.engine.apply(commit, this.now());
    this.unpublished.push({ revision: commit.revision, events });
    const durable = this.deps.journal?.append(commit);
    if (durable !== undefined) await this.acknowledged(durable, signal);
    else this.publish(commit.revision);
  }

  /** Waits for the journal and then tells the watchers, even where the caller gives up in between. */
  private acknowledged(durable: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const { revision } = this.deps.engine;
    const published = durable.then(() => {
      this.publish(revision);
    });
    return bounded(published, {
      timeoutMs: this.deps.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      signal,
      onTimeout: () => this.outcomeUnknown('the disk did not confirm it in time'),
      onAbort: () => this.outcomeUnknown('it was aborted before the disk had confirmed it'),
    });
  }

  /** Tells watchers everything up to a revision that just became durable, in order. */
  private publish(revision: number): void {
    const later = this.unpublished.findIndex((each) => each.revision > revision);
    const ready = this.unpublished.splice(0, later === -1 ? Infinity : later);
    this.hub.publish(ready.flatMap((each) => each.events));
  }

  /** A read may have seen what is not on disk yet; it answers only once that is. */
  private async untilDurable(signal: AbortSignal | undefined): Promise<void> {
    const { journal, engine } = this.deps;
    if (journal === undefined || journal.failure !== undefined) return;
    if (journal.durableRevision >= engine.revision) return;
    await bounded(journal.flushed(), {
      timeoutMs: this.deps.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      signal,
      onTimeout: () =>
        new AppError(
          'store-unavailable',
          `reading from ${this.location} failed because its disk did not answer in time; try again`,
          { status: 503, retryable: true },
        ),
    });
  }

  /** After the journal failed, reads go on with what is on disk for certain. */
  private readRevision(): number | undefined {
    const { journal } = this.deps;
    return journal?.failure === undefined ? undefined : journal.durableRevision;
  }

  private async endLease(lease: LeaseId, signal?: AbortSignal): Promise<void> {
    const commit = this.deps.engine.planRevoke(lease);
    if (commit !== undefined) await this.commit(commit, signal);
  }

  private async endDueLeases(): Promise<void> {
    for (const lease of this.deps.engine.leases.due(this.now())) {
      try {
        await this.endLease(lease, this.closing.signal);
      } catch (error) {
        // The journal failed or the store closes: the loop ends by itself, and health() tells the reason.
        if (!(error instanceof AppError)) throw error;
      }
    }
  }

  private now(): number {
    return this.deps.clock.monotonicMs();
  }

  private assertUsable(signal: AbortSignal | undefined): void {
    if (this.closing.signal.aborted) throw this.closed();
    assertNotAborted(signal);
  }

  private assertWritable(): void {
    const failure = this.deps.journal?.failure;
    if (failure !== undefined) throw failure;
  }

  private closed(): AppError {
    return new AppError('store-unavailable', `the store ${this.location} is closed`, {
      status: 503,
    });
  }

  private outcomeUnknown(reason: string): AppError {
    return new AppError(
      'outcome-unknown',
      `writing to ${this.location} has an unknown outcome because ${reason}; read back what stands there now`,
      { status: 503, retryable: true },
    );
  }
}

/** 63 random bits, as etcd's own ids: an id is not used again after a restart. */
function newLeaseId(): LeaseId {
  return (randomBytes(8).readBigUInt64BE() >> 1n).toString();
}
