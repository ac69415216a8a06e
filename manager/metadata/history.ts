// The kept versions of a cluster: their list, their content, their differences, their marks.
import type { DiffBody, HistoryEntry } from '../../shared/api/history.js';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import { diffSchemas, type Mask } from '../../shared/meta/diff.js';
import { NO_MARKS, type Marks } from '../../shared/meta/marks.js';
import type { Schema } from '../../shared/meta/model.js';
import { readSchema } from '../../shared/meta/snapshot.js';
import type { Store } from '../store/port.js';
import { rangeAll } from '../store/range-all.js';
import { decodeRecord } from '../store/records.js';
import type { BlobStore } from './blob-store.js';
import type { ClusterView } from './cluster-views.js';
import { loadMarks, notKept } from './published.js';
import { clusterNotFound } from './reader.js';
import { historyRecord, type HistoryRecord } from './records.js';

/** A record has up to 64 KiB of words. */
const RECORDS_PER_READ = 30;

export interface HistoryDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
}

export interface KeptVersion {
  readonly record: HistoryRecord;
  readonly bytes: Buffer;
}

export class History {
  constructor(private readonly deps: HistoryDeps) {}

  /** Newest first. Throws AppError `cluster-not-found`. */
  async list(view: ClusterView, signal: AbortSignal): Promise<HistoryEntry[]> {
    if ((await view.feed.newest()) === undefined) throw clusterNotFound(view.name);
    const { entries } = await rangeAll(this.deps.store, view.keys.history, {
      pageSize: RECORDS_PER_READ,
      signal,
    });
    return entries.map((entry) => entryOf(decodeRecord(entry, historyRecord))).reverse();
  }

  /** Throws AppError `cluster-not-found`, `version-not-found`. */
  async get(view: ClusterView, version: number, signal: AbortSignal): Promise<KeptVersion> {
    const entry = await this.deps.store.get(view.keys.historyOf(version), { signal });
    if (entry === undefined) throw await this.missing(view, version);
    const record = decodeRecord(entry, historyRecord);
    const bytes = await this.deps.blobs.read(view.keys, record.snapshot, signal);
    if (bytes === undefined) throw notKept(version);
    return { record, bytes };
  }

  /** The marks of a kept version; those of version 0 are none. */
  async marks(view: ClusterView, version: number): Promise<Marks> {
    if (version === 0) return NO_MARKS;
    const newest = await view.feed.newest();
    if (newest === undefined) throw clusterNotFound(view.name);
    if (newest.tag.version === version) return newest.marks();
    return loadMarks(version, { keys: view.keys, ...this.deps });
  }

  /** What changed between two kept versions; 0 is the empty cluster, no `to` the newest. */
  async diff(
    view: ClusterView,
    range: { readonly from: number; readonly to: number | undefined },
    options: { readonly mask: Mask; readonly signal: AbortSignal },
  ): Promise<DiffBody> {
    const newest = await view.feed.newest();
    if (newest === undefined) throw clusterNotFound(view.name);
    const { from, to = newest.tag.version } = range;
    const [before, after] = await Promise.all([
      this.schema(view, from, options.signal),
      this.schema(view, to, options.signal),
    ]);
    const changes = diffSchemas(before, after, options.mask).map((change) => ({
      ...change,
      path: [...change.path],
    }));
    return { from, to, changes };
  }

  private async schema(view: ClusterView, version: number, signal: AbortSignal): Promise<Schema> {
    if (version === 0) return new Map();
    return readSchema(decodeSnapshot((await this.get(view, version, signal)).bytes));
  }

  private async missing(view: ClusterView, version: number): Promise<Error> {
    const newest = await view.feed.newest();
    return newest === undefined ? clusterNotFound(view.name) : notKept(version);
  }
}

function entryOf(record: HistoryRecord): HistoryEntry {
  const { version, at, author, digest, snapshot, changes, changesOmitted } = record;
  return {
    version,
    at,
    author,
    bytes: snapshot.size,
    digest,
    changes,
    ...(changesOmitted === 0 ? {} : { 'changes-omitted': changesOmitted }),
  };
}
