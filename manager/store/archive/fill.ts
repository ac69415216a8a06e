// Puts content into a store: closes it, empties it, writes in transactions that every etcd takes, and opens it when the last
// is in. Interrupted anywhere it leaves a closed store, on which no manager starts and which can be filled again.
import { AppError } from '../../../shared/errors/app-error.js';
import type { Keys } from '../keys.js';
import type { Operation, Store } from '../port.js';
import { encodeRecord } from '../records.js';
import { readClosed, type ClosedRecord } from './closed.js';
import { assertNoManager, describeKeys, keysIn, type ArchivedEntry } from './contents.js';

/** Below etcd's 128 operations. */
const OPERATIONS_PER_WRITE = 100;

/** Below etcd's 1.5 MiB, with room for what encoding adds; a chunk of a snapshot alone is up to 960 KiB. */
const BYTES_PER_WRITE = 1024 * 1024;

/** A store as the archive's commands see it. */
export interface Place {
  readonly store: Store;
  readonly keys: Keys;
  /** Managers elsewhere may use it too; false where its lock says that none does. */
  readonly isShared: boolean;
}

export interface FillTarget extends Place {
  /** Overwrites what is there. */
  readonly replace: boolean;
  /** For the mark: `the dump plant.jsonl`. */
  readonly from: string;
  /** ISO 8601. */
  readonly at: string;
}

/** What would be overwritten, in words; undefined: it is empty, or a fill that was interrupted. */
export async function occupied(
  { store, keys }: Place,
  signal: AbortSignal,
): Promise<string | undefined> {
  const closed = await readClosed(store, keys, signal);
  if (closed?.why === 'filling') return undefined;
  const all = await keysIn(store, keys, signal);
  const lasting = all.filter(({ leaseId }) => leaseId === undefined).map(({ key }) => key);
  return lasting.length === 0 ? undefined : describeKeys(lasting, keys);
}

/**
 * Writes all pages; `beforeOpen` runs when everything is in and the store is still closed. Returns the number of keys.
 * Throws AppError `store-in-use`, `store-not-empty`, `outcome-unknown` (run it again), and what the store and the pages throw.
 */
export async function fill(
  target: FillTarget,
  pages: AsyncIterable<readonly ArchivedEntry[]>,
  beforeOpen: () => Promise<void>,
  signal: AbortSignal,
): Promise<number> {
  const { store, keys } = target;
  await assertUnused(target, signal);
  const there = await occupied(target, signal);
  if (there !== undefined && !target.replace) throw notEmpty(store, there);
  await close(target, { why: 'filling', at: target.at, other: target.from }, signal);
  // One that started between the look and the mark has its record by now; later ones see the mark.
  await assertUnused(target, signal);
  await empty(target, signal);
  const written = await writePages(target, pages, signal);
  await beforeOpen();
  await store.transact([{ key: keys.closed, is: 'present' }], [{ delete: keys.closed }], signal);
  return written;
}

/** Throws AppError `store-in-use`. */
export async function assertUnused(place: Place, signal: AbortSignal): Promise<void> {
  if (place.isShared) await assertNoManager(place.store, place.keys, signal);
}

/** Marks a store as closed, over another mark too. */
export async function close(
  { store, keys }: Place,
  record: ClosedRecord,
  signal: AbortSignal,
): Promise<void> {
  await store.transact([], [{ put: keys.closed, value: encodeRecord(record) }], signal);
}

export function notEmpty(store: Store, there: string): AppError {
  return new AppError(
    'store-not-empty',
    `the store ${store.location} is not empty: it has ${there}; name an empty one (etcd.prefix, manager.data-dir), or add --replace to overwrite it`,
    { status: 409 },
  );
}

async function empty({ store, keys }: FillTarget, signal: AbortSignal): Promise<void> {
  const all = await keysIn(store, keys, signal);
  for (let at = 0; at < all.length; at += OPERATIONS_PER_WRITE) {
    const batch = all.slice(at, at + OPERATIONS_PER_WRITE);
    const operations = batch.map(({ key }) => ({ delete: key }));
    await store.transact([], operations, signal);
  }
}

async function writePages(
  { store, keys }: FillTarget,
  pages: AsyncIterable<readonly ArchivedEntry[]>,
  signal: AbortSignal,
): Promise<number> {
  let written = 0;
  let batch: Operation[] = [];
  let bytes = 0;
  const flush = async () => {
    if (batch.length > 0) await store.transact([], batch, signal);
    written += batch.length;
    batch = [];
    bytes = 0;
  };
  for await (const page of pages) {
    for (const { key, value } of page) {
      const size = key.length + keys.root.length + value.length;
      if (batch.length === OPERATIONS_PER_WRITE || bytes + size > BYTES_PER_WRITE) await flush();
      batch.push({ put: `${keys.root}${key}`, value });
      bytes += size;
    }
  }
  await flush();
  return written;
}
