// Which versions a cluster keeps: always the last few, and those of the last week as far as they are not too many or too
// large. What is let go loses its history record; the sweep takes its bytes later.
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Entry, Store } from '../store/port.js';
import { rangeAll } from '../store/range-all.js';
import { decodeRecord } from '../store/records.js';
import { deleteEntries } from './delete-entries.js';
import type { ClusterView } from './cluster-views.js';
import { historyRecord } from './records.js';

export interface RetentionRules {
  /** `manager.history`: so many are kept whatever their age and size. */
  readonly always: number;
  readonly maxAgeMs: number;
  /** Compressed bytes of all kept versions of a cluster. */
  readonly maxBytes: number;
  /** Enough for a week of busy days, few enough to be listed in one answer. */
  readonly maxVersions: number;
}

/** A week, as long as it is cheap for a store whose usual quota is 2 GiB. */
export const RETENTION: Omit<RetentionRules, 'always'> = {
  maxAgeMs: 7 * 24 * 3_600_000,
  maxBytes: 64 * 1024 * 1024,
  maxVersions: 1_000,
};

/** Versions that were written since the last look before it is worth looking again; or so many bytes. */
const TRIM_AFTER_VERSIONS = 20;
const TRIM_AFTER_BYTES = 16 * 1024 * 1024;

const RECORDS_PER_READ = 30;

export interface Kept {
  readonly atMs: number;
  readonly bytes: number;
}

/** How many of `versions`, newest first, are kept; all after that go. */
export function countKept(versions: readonly Kept[], rules: RetentionRules, nowMs: number): number {
  let bytes = 0;
  for (const [index, version] of versions.entries()) {
    bytes += version.bytes;
    if (index < rules.always) continue;
    const isOver =
      index >= rules.maxVersions || bytes > rules.maxBytes || nowMs - version.atMs > rules.maxAgeMs;
    if (isOver) return index;
  }
  return versions.length;
}

export class Retention {
  private readonly written = new Map<string, { versions: number; bytes: number }>();

  constructor(
    private readonly deps: {
      readonly store: Store;
      readonly clock: Clock;
      readonly rules: RetentionRules;
    },
  ) {}

  /** This manager accepted a version. */
  noteWrite(cluster: string, storedBytes: number): void {
    const { versions, bytes } = this.written.get(cluster) ?? { versions: 0, bytes: 0 };
    this.written.set(cluster, { versions: versions + 1, bytes: bytes + storedBytes });
  }

  /** Clusters in which enough was written to look again. */
  due(): string[] {
    return [...this.written]
      .filter(
        ([, { versions, bytes }]) => versions >= TRIM_AFTER_VERSIONS || bytes >= TRIM_AFTER_BYTES,
      )
      .map(([cluster]) => cluster);
  }

  /** Lets go of what need not be kept; returns how many versions. */
  async trim(view: ClusterView, signal: AbortSignal): Promise<number> {
    this.written.delete(view.name);
    const { store, clock, rules } = this.deps;
    const { entries } = await rangeAll(store, view.keys.history, {
      pageSize: RECORDS_PER_READ,
      signal,
    });
    const newestFirst = [...entries].reverse();
    const kept = countKept(newestFirst.map(keptOf), rules, clock.nowMs());
    const gone = newestFirst.slice(kept);
    await deleteEntries(this.deps.store, gone, signal);
    return gone.length;
  }
}

function keptOf(entry: Entry): Kept {
  const { at, snapshot, marks } = decodeRecord(entry, historyRecord);
  return { atMs: Date.parse(at), bytes: snapshot.stored + marks.stored };
}
