// What a store has that outlives its managers: every key but those under a lease, read in pages at one revision. And in words,
// for a person who is about to overwrite it.
import { decodeName } from '../../../shared/api/names.js';
import { AppError } from '../../../shared/errors/app-error.js';
import { managerRecord } from '../../nodes/records.js';
import type { Keys } from '../keys.js';
import type { Entry, Store } from '../port.js';
import { rangeAll } from '../range-all.js';
import { decodeRecord } from '../records.js';

/** A key below the prefix (without it), and its value. */
export interface ArchivedEntry {
  readonly key: string;
  readonly value: Buffer;
}

/** A value is up to a megabyte (a chunk), and a page must fit into memory and into one answer. */
const ENTRIES_PER_READ = 16;

const KEYS_PER_READ = 1_000;

/** So many names are enough to recognise a store by. */
const SHOWN_CLUSTERS = 5;

export interface Contents {
  /** The revision that all is read at. */
  readonly revision: number;
  readonly pages: AsyncIterable<readonly ArchivedEntry[]>;
}

/** Throws what the store throws, also while the pages are read. */
export async function contentsOf(store: Store, keys: Keys, signal: AbortSignal): Promise<Contents> {
  const { revision } = await store.range(keys.root, { limit: 1, keysOnly: true, signal });
  return { revision, pages: pagesOf(store, keys, revision, signal) };
}

async function* pagesOf(
  store: Store,
  keys: Keys,
  revision: number,
  signal: AbortSignal,
): AsyncGenerator<readonly ArchivedEntry[]> {
  for (let after: string | undefined; ;) {
    const page = await store.range(keys.root, {
      limit: ENTRIES_PER_READ,
      revision,
      signal,
      ...(after === undefined ? {} : { after }),
    });
    yield page.entries
      .filter(({ leaseId, key }) => leaseId === undefined && key !== keys.closed)
      .map(({ key, value }) => ({ key: key.slice(keys.root.length), value }));
    after = page.entries.at(-1)?.key;
    if (!page.hasMore || after === undefined) return;
  }
}

/** All keys but the mark of a closed store; the values are left empty. */
export async function keysIn(store: Store, keys: Keys, signal: AbortSignal): Promise<Entry[]> {
  const options = { keysOnly: true, pageSize: KEYS_PER_READ, signal };
  const { entries } = await rangeAll(store, keys.root, options);
  return entries.filter(({ key }) => key !== keys.closed);
}

/** `3 clusters (a, b, c), 5 nodes, 812 keys`, from the keys of one store. */
export function describeKeys(all: readonly string[], keys: Keys): string {
  const clusters = new Set<string>();
  let nodes = 0;
  for (const key of all) {
    if (!key.startsWith(keys.clusters)) continue;
    const [cluster = '', kind] = key.slice(keys.clusters.length).split('/');
    clusters.add(cluster);
    if (kind === 'nodes') nodes += 1;
  }
  const names = [...clusters].slice(0, SHOWN_CLUSTERS).map(decodeName);
  const more = clusters.size > names.length ? ', ...' : '';
  const shown = names.length === 0 ? '' : ` (${names.join(', ')}${more})`;
  return `${count(clusters.size, 'cluster')}${shown}, ${count(nodes, 'node')}, ${count(all.length, 'key')}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

/** Throws AppError `store-in-use` where a manager has a live record, naming it. For stores that managers share. */
export async function assertNoManager(
  store: Store,
  keys: Keys,
  signal: AbortSignal,
): Promise<void> {
  const { entries } = await rangeAll(store, keys.managers, { signal });
  if (entries.length === 0) return;
  const names = entries.map((entry) => {
    const { hostname, bindAddress } = decodeRecord(entry, managerRecord);
    return `${hostname} (${bindAddress})`;
  });
  throw new AppError(
    'store-in-use',
    `the store ${store.location} is in use by ${count(names.length, 'manager')}: ${names.join(', ')}; stop them, and wait for etcd.ttl where one was killed`,
    { status: 409 },
  );
}
