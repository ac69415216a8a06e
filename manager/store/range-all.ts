// Reads all keys below a prefix in pages, at one revision, so that no answer exceeds what a gRPC client takes.
import type { Entry, Store } from './port.js';

/** Records of the registry are at most some 30 KiB each; 4 MiB is the default limit of an answer. */
const PAGE = 100;

export interface RangeAllOptions {
  /** Undefined: as it is now. */
  readonly revision?: number;
  readonly keysOnly?: boolean;
  readonly pageSize?: number;
  readonly signal?: AbortSignal;
}

export interface AllEntries {
  readonly entries: readonly Entry[];
  readonly revision: number;
}

export async function rangeAll(
  store: Store,
  prefix: string,
  { pageSize = PAGE, ...options }: RangeAllOptions = {},
): Promise<AllEntries> {
  const entries: Entry[] = [];
  let revision = options.revision;
  for (;;) {
    const last = entries.at(-1);
    const page = await store.range(prefix, {
      ...options,
      limit: pageSize,
      ...(revision === undefined ? {} : { revision }),
      ...(last === undefined ? {} : { after: last.key }),
    });
    revision ??= page.revision;
    entries.push(...page.entries);
    if (!page.hasMore || page.entries.length === 0) return { entries, revision };
  }
}
