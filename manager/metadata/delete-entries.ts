// Deletes entries that a sweep found superfluous, in transactions of bounded size.
import type { Entry, Store } from '../store/port.js';

/** One comparison and one delete each; etcd takes 128 of each per transaction. */
const PER_TRANSACTION = 60;

/** Only those that are still as they were found: a cluster that was made anew has other records under the same keys. */
export async function deleteEntries(
  store: Pick<Store, 'transact'>,
  entries: readonly Entry[],
  signal: AbortSignal,
): Promise<void> {
  for (let start = 0; start < entries.length; start += PER_TRANSACTION) {
    const some = entries.slice(start, start + PER_TRANSACTION);
    await store.transact(
      some.map(({ key, modRevision }) => ({ key, is: 'at', modRevision })),
      some.map(({ key }) => ({ delete: key })),
      signal,
    );
  }
}
