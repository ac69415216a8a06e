// Locks of a cluster: a key under a lease, and beside it a number that rises with each new holder and is never forgotten. A
// lease that is gone is a lost lock; nothing here waits for one.
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import { createBackoff, sleep } from '../../shared/lifecycle/backoff.js';
import type { ClusterKeys } from '../store/keys.js';
import type { Entry, LeaseId, Store } from '../store/port.js';
import { decodeRecord, encodeRecord } from '../store/records.js';
import { fenceRecord, lockRecord, type LockRecord } from './records.js';

/** How long one request may fight for a lock or look for an unknown outcome. */
const LOCK_DEADLINE_MS = 5_000;

export interface LockRequest {
  readonly name: string;
  readonly holder: string;
  readonly ttlSeconds: number;
}

export type LockOutcome =
  | { readonly kind: 'held'; readonly fence: number; readonly ttlSeconds: number }
  /** Free within `expiresInMs`, unless its holder renews it. */
  | { readonly kind: 'taken'; readonly holder: string; readonly expiresInMs: number };

/** What the store has of one lock. */
interface Found {
  readonly entry: Entry;
  readonly record: LockRecord;
}

export class Locks {
  constructor(private readonly deps: { readonly store: Store }) {}

  /**
   * Takes the lock, or renews it where this holder has it already (the fence stays). Throws AppError `store-unavailable`,
   * `outcome-unknown`: asking again tells.
   */
  async acquire(keys: ClusterKeys, request: LockRequest, stop: AbortSignal): Promise<LockOutcome> {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(LOCK_DEADLINE_MS)]);
    const backoff = createBackoff({ initialMs: 10 });
    for (;;) {
      const outcome = await this.attempt(keys, request, signal);
      if (outcome !== undefined) return outcome;
      await sleep(backoff.nextDelayMs(), signal);
    }
  }

  /** Frees the lock where this holder has it; where it has not, there is nothing to do. */
  async release(
    keys: ClusterKeys,
    { name, holder }: Pick<LockRequest, 'name' | 'holder'>,
    signal: AbortSignal,
  ): Promise<void> {
    const found = await this.find(keys, name, signal);
    if (found?.record.holder !== holder) return;
    // By its lease, not by its key: the lease is of this holder alone, whoever has the key by then.
    await this.deps.store.revokeLease(found.record.lease, signal);
  }

  /** undefined: the lock changed hands at this moment; look again. */
  private async attempt(
    keys: ClusterKeys,
    request: LockRequest,
    signal: AbortSignal,
  ): Promise<LockOutcome | undefined> {
    const found = await this.find(keys, request.name, signal);
    if (found === undefined) return this.take(keys, request, undefined, signal);
    const { record } = found;
    if (record.holder !== request.holder) {
      const expiresInMs = record.ttlSeconds * 1_000;
      return { kind: 'taken', holder: record.holder, expiresInMs };
    }
    if (record.ttlSeconds !== request.ttlSeconds) return this.take(keys, request, found, signal);
    // False: the lease ended between the look and this, and the lock with it.
    if (!(await this.deps.store.keepAlive(record.lease, signal))) return undefined;
    return heldBy(record);
  }

  /** Puts the lock under a new lease: a free one with the next fence, our own with its fence and another TTL. */
  private async take(
    keys: ClusterKeys,
    { name, holder, ttlSeconds }: LockRequest,
    ours: Found | undefined,
    signal: AbortSignal,
  ): Promise<LockOutcome | undefined> {
    const { store } = this.deps;
    const [key, fenceKey] = [keys.lock(name), keys.fence(name)];
    const fenceEntry = ours === undefined ? await store.get(fenceKey, { signal }) : undefined;
    const last = fenceEntry === undefined ? 0 : decodeRecord(fenceEntry, fenceRecord).fence;
    const fence = ours?.record.fence ?? last + 1;
    const lease = await store.grantLease(ttlSeconds, signal);
    const record: LockRecord = { holder, fence, lease, ttlSeconds };
    const put = { put: key, value: encodeRecord(record), leaseId: lease };
    const isOurs = await this.isCommitted(
      ours === undefined
        ? [
            [unchanged(key, undefined), unchanged(fenceKey, fenceEntry)],
            [put, fencePut(fenceKey, fence)],
          ]
        : [[unchanged(key, ours.entry)], [put]],
      signal,
    );
    const superfluous = isOurs ? ours?.record.lease : lease;
    if (superfluous !== undefined) await this.letGo(superfluous, signal);
    return isOurs ? heldBy(record) : undefined;
  }

  /** An unknown outcome counts as lost: the next look finds the lock, where it is ours after all. */
  private async isCommitted(
    [comparisons, operations]: [Parameters<Store['transact']>[0], Parameters<Store['transact']>[1]],
    signal: AbortSignal,
  ): Promise<boolean> {
    try {
      return (await this.deps.store.transact(comparisons, operations, signal)).kind === 'committed';
    } catch (error) {
      if (isAppError(error, 'outcome-unknown')) return false;
      // Granted a moment ago and gone: the store was slower than the TTL; another try gets another one.
      if (isAppError(error) && error.details['reason'] === 'lease-gone') return false;
      throw error;
    }
  }

  /** A courtesy: it would end by itself. Where the outcome was unknown this frees what was taken, and the next try takes it. */
  private async letGo(lease: LeaseId, signal: AbortSignal): Promise<void> {
    try {
      await this.deps.store.revokeLease(lease, signal);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
  }

  private async find(
    keys: ClusterKeys,
    name: string,
    signal: AbortSignal,
  ): Promise<Found | undefined> {
    const entry = await this.deps.store.get(keys.lock(name), { signal });
    return entry === undefined ? undefined : { entry, record: decodeRecord(entry, lockRecord) };
  }
}

function heldBy({ fence, ttlSeconds }: LockRecord): LockOutcome {
  return { kind: 'held', fence, ttlSeconds };
}

function fencePut(key: string, fence: number): { put: string; value: Buffer } {
  return { put: key, value: encodeRecord({ fence }) };
}

function unchanged(
  key: string,
  entry: Entry | undefined,
): { key: string; is: 'absent' } | { key: string; is: 'at'; modRevision: number } {
  return entry === undefined
    ? { key, is: 'absent' }
    : { key, is: 'at', modRevision: entry.modRevision };
}
