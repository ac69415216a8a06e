// Moves what one store has into another: embedded to etcd or back. The cluster's incarnation and versions are kept, so that
// no agent joins anew. The source stays as it is, closed: two stores with one line of versions would part.
import { AppError } from '../../../shared/errors/app-error.js';
import { closedError, readClosed } from './closed.js';
import { contentsOf, describeKeys, keysIn } from './contents.js';
import { assertUnused, close, fill, notEmpty, occupied, type Place } from './fill.js';

export interface MigrateOptions {
  readonly from: Place;
  readonly to: Place;
  readonly replace: boolean;
  readonly dryRun: boolean;
  /** ISO 8601. */
  readonly at: string;
  readonly signal: AbortSignal;
}

export interface Migrated {
  readonly from: string;
  readonly to: string;
  /** What the source has, in words. */
  readonly content: string;
  readonly replaced: string | null;
  /** Keys written; 0 in a dry run. */
  readonly keys: number;
}

/** Throws AppError `store-in-use`, `store-not-empty`, `store-closed`, and what the stores throw. */
export async function migrateStore(options: MigrateOptions): Promise<Migrated> {
  const { from, to, replace, dryRun, at, signal } = options;
  await assertUnused(from, signal);
  await assertUnused(to, signal);
  await assertReadable(from, to, signal);
  const there = await occupied(to, signal);
  if (there !== undefined && !replace) throw notEmpty(to.store, there);
  const source = await keysIn(from.store, from.keys, signal);
  const lasting = source.filter(({ leaseId }) => leaseId === undefined).map(({ key }) => key);
  if (lasting.length === 0) throw nothingThere(from);
  const result = {
    from: from.store.location,
    to: to.store.location,
    content: describeKeys(lasting, from.keys),
    replaced: there ?? null,
  };
  if (dryRun) return { ...result, keys: 0 };
  const { pages } = await contentsOf(from.store, from.keys, signal);
  const target = { ...to, replace, from: `the store ${from.store.location}`, at };
  const moved = { why: 'moved', at, other: `the store ${to.store.location}` } as const;
  const keys = await fill(target, pages, () => close(from, moved, signal), signal);
  return { ...result, keys };
}

/** A source that was moved away may be moved again only where that did not come to its end. */
async function assertReadable(from: Place, to: Place, signal: AbortSignal): Promise<void> {
  const closed = await readClosed(from.store, from.keys, signal);
  if (closed === undefined) return;
  const target = await readClosed(to.store, to.keys, signal);
  if (closed.why === 'moved' && target?.why === 'filling') return;
  throw closedError(from.store, closed);
}

/** Nearly always a wrong prefix or directory; an empty store is made by starting a manager. */
function nothingThere({ store }: Place): AppError {
  return new AppError(
    'usage',
    `the store ${store.location} has nothing to migrate; check manager.data-dir and etcd.prefix`,
  );
}
