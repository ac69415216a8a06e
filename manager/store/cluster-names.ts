// The names of all clusters, found by jumping from one to the next: one small read each, however much lies below them.
import type { Keys } from './keys.js';
import type { Store } from './port.js';

/** Also those of which only the ids that were given are left; whoever lists them looks whether they exist. */
export async function listClusterNames(
  store: Store,
  keys: Keys,
  signal: AbortSignal,
): Promise<string[]> {
  const names: string[] = [];
  let after: string | undefined;
  for (;;) {
    const { entries } = await store.range(keys.clusters, {
      limit: 1,
      keysOnly: true,
      signal,
      ...(after === undefined ? {} : { after }),
    });
    const key = entries[0]?.key;
    if (key === undefined) return names;
    const name = keys.clusterOf(key);
    names.push(name);
    after = keys.cluster(name).end;
  }
}
