// The mark of a store that no manager may work on, and the gate that a manager's store calls go through until it is known
// that there is none. It refuses nothing else.
import { z } from 'zod';
import { AppError, isAppError } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { Keys } from '../keys.js';
import type { Store } from '../port.js';
import { decodeRecord } from '../records.js';

/** `filling`: a restore or migration into it has not ended. `moved`: its content lives in another store now. */
export const closedRecord = z.object({
  why: z.enum(['filling', 'moved']),
  at: z.string(),
  /** Where the content comes from or went to, for people. */
  other: z.string(),
});
export type ClosedRecord = z.infer<typeof closedRecord>;

/** undefined: it is open. */
export async function readClosed(
  store: Store,
  keys: Keys,
  signal?: AbortSignal,
): Promise<ClosedRecord | undefined> {
  const entry = await store.get(keys.closed, signal === undefined ? {} : { signal });
  return entry === undefined ? undefined : decodeRecord(entry, closedRecord);
}

/** Why nothing may use it, in a sentence with the way out. */
export function closedError(store: Store, closed: ClosedRecord): AppError {
  const remedy =
    closed.why === 'filling'
      ? `it holds a part of ${closed.other}, because a restore or migration begun at ${closed.at} has not ended; run that again`
      : `its content was moved to ${closed.other} at ${closed.at}; set manager.store to that, or restore a dump into this one`;
  return new AppError('store-closed', `the store ${store.location} is closed: ${remedy}`, {
    status: 503,
  });
}

/** While the store is out of reach it is asked this often. */
const RETRY_MS = 1_000;

/** Every call waits until the store is known to be open; from then on the gate costs nothing. */
export class StoreGate {
  private isOpen = false;

  constructor(
    private readonly store: Store,
    private readonly keys: Keys,
  ) {}

  /** Throws AppError `store-closed`, and what the store throws. */
  async pass(signal?: AbortSignal): Promise<void> {
    if (this.isOpen) return;
    const closed = await readClosed(this.store, this.keys, signal);
    if (closed !== undefined) throw closedError(this.store, closed);
    this.isOpen = true;
  }

  /** Resolves when it is known to be open, however long the store is away. Throws AppError `store-closed`, `aborted`. */
  async opened(clock: Clock, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.pass(signal);
        return;
      } catch (error) {
        if (!isAppError(error, 'store-unavailable')) throw error;
        await clock.sleep(RETRY_MS, signal);
      }
    }
  }

  /** The store behind the gate; health and the end are not held up. */
  guarded(): Store {
    const { store } = this;
    const after = async <T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
      if (!this.isOpen) await this.pass(signal);
      return await call();
    };
    return {
      location: store.location,
      get: (key, options) => after(() => store.get(key, options), options?.signal),
      range: (prefix, options) => after(() => store.range(prefix, options), options?.signal),
      transact: (comparisons, operations, signal) =>
        after(() => store.transact(comparisons, operations, signal), signal),
      watch: (prefix, onEvent, signal) => after(() => store.watch(prefix, onEvent, signal), signal),
      grantLease: (ttl, signal) => after(() => store.grantLease(ttl, signal), signal),
      keepAlive: (lease, signal) => after(() => store.keepAlive(lease, signal), signal),
      revokeLease: (lease, signal) => after(() => store.revokeLease(lease, signal), signal),
      health: (signal) => store.health(signal),
      close: () => store.close(),
    };
  }
}
