// Puts a dump into a store. The whole file is verified before the first write; a store that is not empty is refused unless it
// shall be replaced. What an older content means to the agents is found by them and the managers, not here.
import { verifyDumpFile, readDumpFile } from './dump-file.js';
import { describeKeys } from './contents.js';
import { assertUnused, fill, notEmpty, occupied, type Place } from './fill.js';

export interface RestoreOptions extends Place {
  readonly file: string;
  readonly replace: boolean;
  /** Says what would be done and does nothing. */
  readonly dryRun: boolean;
  /** ISO 8601. */
  readonly at: string;
  readonly signal: AbortSignal;
}

export interface Restored {
  /** Of the dump. */
  readonly created: string;
  readonly source: string;
  /** What it has, in words. */
  readonly content: string;
  /** What was, or would be, overwritten, in words; null: nothing. */
  readonly replaced: string | null;
  /** Keys written; 0 in a dry run. */
  readonly keys: number;
}

/** Throws AppError `dump-invalid`, `store-format-unknown`, `store-in-use`, `store-not-empty`, and what the store throws. */
export async function restoreStore(options: RestoreOptions): Promise<Restored> {
  const { store, keys, file, replace, dryRun, at, signal } = options;
  const { header, keys: relative } = await verifyDumpFile(file, signal);
  await assertUnused(options, signal);
  const there = await occupied(options, signal);
  if (there !== undefined && !replace) throw notEmpty(store, there);
  const target = { ...options, from: `the dump ${file}`, at };
  const written = dryRun
    ? 0
    : await fill(target, readDumpFile(file, signal), () => Promise.resolve(), signal);
  return {
    created: header.created,
    source: header.source,
    content: describeKeys(
      relative.map((key) => `${keys.root}${key}`),
      keys,
    ),
    replaced: there ?? null,
    keys: written,
  };
}
