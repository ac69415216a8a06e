// Takes away what nothing names any more: blobs of versions that are not kept, leftovers of writers that died, and records of
// old writes. Touches nothing younger than an hour, so that whoever is reading or writing right now is never disturbed.
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Logger } from '../../shared/log/logger.js';
import type { ClusterKeys } from '../store/keys.js';
import type { Comparison, Store } from '../store/port.js';
import { rangeAll } from '../store/range-all.js';
import { decodeRecord } from '../store/records.js';
import { deleteEntries } from './delete-entries.js';
import { blobTimeMs } from './blob-store.js';
import type { ClusterView } from './cluster-views.js';
import { historyRecord, pointerRecord, writeRecord } from './records.js';

export const SWEEP_MIN_AGE_MS = 3_600_000;

/** Accepted writes are remembered for a day, and so many of them for at least an hour. */
const WRITES_MAX_AGE_MS = 24 * 3_600_000;
const MAX_WRITES = 10_000;

const KEYS_PER_READ = 1_000;
const RECORDS_PER_READ = 30;
const PER_TRANSACTION = 60;

/** A cluster that is written all the time moves its pointer between look and delete; after so many times, next hour. */
const MAX_TRIES = 20;

export interface SweepDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Sweep {
  constructor(private readonly deps: SweepDeps) {}

  /** Returns how many blobs and records of writes went. */
  async run(view: ClusterView, signal: AbortSignal): Promise<{ blobs: number; writes: number }> {
    const blobs = await this.sweepBlobs(view.keys, signal);
    const writes = await this.sweepWrites(view.keys, signal);
    return { blobs, writes };
  }

  private async sweepBlobs(keys: ClusterKeys, signal: AbortSignal): Promise<number> {
    const old = await this.oldBlobs(keys, signal);
    let swept = 0;
    for (let tries = 0; tries < MAX_TRIES && old.size > 0;) {
      const { pointer, named } = await this.namedBlobs(keys, signal);
      const batch = [...old].filter((id) => !named.has(id)).slice(0, PER_TRANSACTION);
      if (batch.length === 0) return swept;
      // The pointer moves with every version that names a blob: where it stands still, nobody names one of these. A blob
      // goes whole, its seal with it, so nobody can name it afterwards.
      const { kind } = await this.deps.store.transact(
        [pointer],
        batch.map((id) => ({ deletePrefix: keys.chunksOf(id) })),
        signal,
      );
      if (kind === 'refused') {
        tries += 1;
        continue;
      }
      for (const id of batch) old.delete(id);
      swept += batch.length;
    }
    return swept;
  }

  /** Ids of all blobs that are old enough, by the clock of the manager that made them. */
  private async oldBlobs(keys: ClusterKeys, signal: AbortSignal): Promise<Set<string>> {
    const { entries } = await rangeAll(this.deps.store, keys.chunks, {
      keysOnly: true,
      pageSize: KEYS_PER_READ,
      signal,
    });
    const youngest = this.deps.clock.nowMs() - SWEEP_MIN_AGE_MS;
    const ids = entries.map(({ key }) => key.slice(keys.chunks.length).split('/')[0] ?? '');
    return new Set(ids.filter((id) => blobTimeMs(id) <= youngest));
  }

  /** What the pointer and the kept versions name, and the comparison that this is still so. */
  private async namedBlobs(
    keys: ClusterKeys,
    signal: AbortSignal,
  ): Promise<{ pointer: Comparison; named: Set<string> }> {
    const { store } = this.deps;
    const entry = await store.get(keys.meta, { signal });
    const history = await rangeAll(store, keys.history, { pageSize: RECORDS_PER_READ, signal });
    const named = new Set<string>();
    if (entry !== undefined) named.add(decodeRecord(entry, pointerRecord).snapshot.id);
    for (const kept of history.entries) {
      const { snapshot, marks } = decodeRecord(kept, historyRecord);
      named.add(snapshot.id).add(marks.id);
    }
    const pointer: Comparison =
      entry === undefined
        ? { key: keys.meta, is: 'absent' }
        : { key: keys.meta, is: 'at', modRevision: entry.modRevision };
    return { pointer, named };
  }

  private async sweepWrites(keys: ClusterKeys, signal: AbortSignal): Promise<number> {
    const { entries } = await rangeAll(this.deps.store, keys.writes, {
      pageSize: KEYS_PER_READ,
      signal,
    });
    const nowMs = this.deps.clock.nowMs();
    const newestFirst = entries
      .map((entry) => ({ entry, ageMs: nowMs - Date.parse(decodeRecord(entry, writeRecord).at) }))
      .sort((a, b) => a.ageMs - b.ageMs);
    const gone = newestFirst
      .filter(
        ({ ageMs }, index) =>
          ageMs > WRITES_MAX_AGE_MS || (index >= MAX_WRITES && ageMs > SWEEP_MIN_AGE_MS),
      )
      .map(({ entry }) => entry);
    await deleteEntries(this.deps.store, gone, signal);
    return gone.length;
  }
}
