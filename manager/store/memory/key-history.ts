// All keys with their present and recent past values, so that a reader can read several keys as of one revision.
// Old values are forgotten (compacted) by count and size; reading at a forgotten revision is refused, never answered wrongly.
import { AppError } from '../../../shared/errors/app-error.js';
import type { Entry } from '../port.js';
import { SortedKeys } from './sorted-keys.js';

/** How much of the past is kept: enough for a reader that needs a second to read the chunks of a large snapshot. */
export interface HistoryLimits {
  readonly maxOldValues: number;
  readonly maxOldBytes: number;
}

export const DEFAULT_HISTORY_LIMITS: HistoryLimits = {
  maxOldValues: 10_000,
  maxOldBytes: 64 * 1024 * 1024,
};

/** A key's value from a revision on; no entry where the key was deleted at it. */
interface Version {
  readonly revision: number;
  readonly entry: Entry | undefined;
}

/** A version that a newer one replaced: needed by readers at revisions below `until`. */
interface OldVersion {
  readonly key: string;
  readonly until: number;
  readonly bytes: number;
}

export class KeyHistory {
  private readonly versions = new Map<string, Version[]>();
  private readonly order = new SortedKeys();
  private old: OldVersion[] = [];
  private oldStart = 0;
  private oldBytes = 0;
  private oldestReadable = 0;

  constructor(private readonly limits: HistoryLimits = DEFAULT_HISTORY_LIMITS) {}

  /** The key's entry now, or as of `revision`. */
  get(key: string, revision?: number): Entry | undefined {
    const versions = this.versions.get(key);
    if (versions === undefined) return undefined;
    if (revision === undefined) return versions.at(-1)?.entry;
    return versions.findLast((version) => version.revision <= revision)?.entry;
  }

  /** The entries below `prefix` now, or as of `revision`, in byte order of their keys or against it. */
  *below(prefix: string, options: HistoryRange = {}): Generator<Entry> {
    for (const key of this.order.withPrefix(prefix, options.after, options.descending)) {
      const entry = this.get(key, options.revision);
      if (entry !== undefined) yield entry;
    }
  }

  /** Sets a key (an entry) or deletes it (undefined) at a revision not below any set before. */
  set(key: string, entry: Entry | undefined, revision: number): void {
    let versions = this.versions.get(key);
    if (versions === undefined) {
      versions = [];
      this.versions.set(key, versions);
      this.order.add(key);
    }
    const replaced = versions.at(-1);
    versions.push({ revision, entry });
    // A deletion answers nothing that its absence would not, so it may go as soon as what it deleted has gone.
    if (replaced?.entry !== undefined) this.retire(key, replaced.entry.value.length, revision);
    if (entry === undefined) this.retire(key, 0, revision);
    this.forgetOverLimit();
  }

  /** Throws `store-unavailable` where values of that revision were already forgotten. */
  assertReadable(revision: number): void {
    if (revision >= this.oldestReadable) return;
    throw new AppError(
      'store-unavailable',
      `reading at revision ${revision} failed because the store keeps nothing older than revision ${this.oldestReadable}; start the read anew`,
      { status: 503, retryable: true, details: { revision, oldest: this.oldestReadable } },
    );
  }

  /** Forgets what is only needed by readers below `revision`. */
  compact(revision: number): void {
    while (this.oldStart < this.old.length && (this.old[this.oldStart]?.until ?? 0) <= revision) {
      this.forgetOldest();
    }
    this.oldestReadable = Math.max(this.oldestReadable, revision);
  }

  private retire(key: string, bytes: number, until: number): void {
    this.old.push({ key, until, bytes });
    this.oldBytes += bytes;
  }

  private forgetOverLimit(): void {
    while (
      this.old.length - this.oldStart > this.limits.maxOldValues ||
      this.oldBytes > this.limits.maxOldBytes
    ) {
      this.forgetOldest();
    }
  }

  /** Drops the oldest retired version of one key, and the key itself where nothing but a deletion is left. */
  private forgetOldest(): void {
    const oldest = this.old[this.oldStart];
    if (oldest === undefined) return;
    this.oldStart += 1;
    this.oldBytes -= oldest.bytes;
    this.oldestReadable = Math.max(this.oldestReadable, oldest.until);
    const versions = this.versions.get(oldest.key);
    versions?.shift();
    if (versions?.length === 0) {
      this.versions.delete(oldest.key);
      this.order.remove(oldest.key);
    }
    if (this.oldStart > this.limits.maxOldValues) {
      this.old = this.old.slice(this.oldStart);
      this.oldStart = 0;
    }
  }
}

export interface HistoryRange {
  readonly after?: string | undefined;
  readonly descending?: boolean | undefined;
  readonly revision?: number | undefined;
}
