// One key of the store as this manager knows it: kept up to date by a watch, and read afresh on demand. Events are only
// news; whoever needs the truth asks `fresh()`, a linearizable read that all who ask at the same time share.
import type { Logger } from '../../shared/log/logger.js';
import { createBackoff, sleep } from '../../shared/lifecycle/backoff.js';
import { Coalescer } from './coalescer.js';
import type { Entry, Store, Watch, WatchEvent } from './port.js';

export interface WatchedKeyOptions<T> {
  readonly store: Store;
  readonly key: string;
  readonly logger: Logger;
  /** What the entry means; may throw where it is of another release or damaged, and then `fresh` throws that. */
  readonly decode: (entry: Entry) => T;
  /** Called after the meaning became another one; undefined: the key is not there. */
  readonly onChange?: (value: T | undefined) => void;
}

type Known<T> =
  | { readonly kind: 'absent' }
  | { readonly kind: 'value'; readonly entry: Entry; readonly value: T }
  | { readonly kind: 'unreadable'; readonly entry: Entry; readonly error: unknown };

export class WatchedKey<T> {
  private known: Known<T> = { kind: 'absent' };
  /** The store's revision that `known` shows. */
  private revision = 0;
  /** Counts changes, so that a read notices that it was overtaken by an event. */
  private changes = 0;
  private wasRead = false;
  private watching: Promise<Watch> | undefined;
  private readonly abort = new AbortController();
  private readonly reads: Coalescer<void>;

  constructor(private readonly options: WatchedKeyOptions<T>) {
    this.reads = new Coalescer(() => this.read());
  }

  /** What was last seen, by a read or by the watch; undefined also where nothing was seen yet. */
  get current(): T | undefined {
    return this.known.kind === 'value' ? this.known.value : undefined;
  }

  /**
   * The value by a linearizable read that began after this call; the watch stands before it, so nothing is missed.
   * Throws AppError `store-unavailable`, and what `decode` throws.
   */
  async fresh(): Promise<T | undefined> {
    await this.ready();
    await this.reads.run();
    if (this.known.kind === 'unreadable') throw this.known.error;
    return this.current;
  }

  /** As `fresh` the first time, and then what the watch told last: no read, but it may be behind. */
  async recent(): Promise<T | undefined> {
    if (!this.wasRead) return this.fresh();
    if (this.known.kind === 'unreadable') throw this.known.error;
    return this.current;
  }

  /** Takes what this manager itself has just put, with its meaning, before the watch tells. */
  accept(entry: Entry, value: T): void {
    if (entry.modRevision > this.revision) {
      this.change({ kind: 'value', entry, value }, entry.modRevision);
    }
  }

  /** Resolves once the watch stands. Throws AppError `store-unavailable`; the next call tries again. */
  async ready(): Promise<void> {
    const { store, key } = this.options;
    const watching = (this.watching ??= store.watch(key, this.onEvent, this.abort.signal));
    try {
      await watching;
    } catch (error) {
      if (this.watching === watching) this.watching = undefined;
      throw error;
    }
  }

  close(): void {
    this.abort.abort();
    // A watch that never came to stand has nothing to close; its failure went to whoever waited for it.
    this.watching?.then(
      (watch) => {
        watch.close();
      },
      () => undefined,
    );
  }

  private readonly onEvent = (event: WatchEvent): void => {
    if (this.abort.signal.aborted) return;
    if (event.kind === 'reset') {
      void this.readUntilDone();
    } else if (event.kind === 'put') {
      const { entry } = event;
      if (entry.key === this.options.key && entry.modRevision > this.revision) {
        this.change(this.meaningOf(entry), entry.modRevision);
      }
    } else if (event.key === this.options.key && event.revision > this.revision) {
      this.change({ kind: 'absent' }, event.revision);
    }
  };

  /** After a reset events may be missing, so it is read again until a read succeeds. */
  private async readUntilDone(): Promise<void> {
    const { signal } = this.abort;
    const backoff = createBackoff();
    while (!signal.aborted) {
      try {
        await this.reads.run();
        return;
      } catch (error) {
        this.options.logger.debug('reading a watched key again failed, trying on', { err: error });
        // Only the closing of this key ends the sleep early, and the loop sees that.
        await sleep(backoff.nextDelayMs(), signal).catch(() => undefined);
      }
    }
  }

  private async read(): Promise<void> {
    const { store, key } = this.options;
    const before = this.changes;
    // A range tells the revision that it shows, which a get does not: every event up to it is included.
    const { entries, revision } = await store.range(key, { limit: 1, signal: this.abort.signal });
    this.wasRead = true;
    const entry = entries[0]?.key === key ? entries[0] : undefined;
    // Smaller than what an event brought meanwhile: overtaken. Smaller though nothing came: the store went back in time,
    // and what it says now is what counts.
    if (this.changes !== before && revision < this.revision) return;
    if (isSame(entry, this.known)) this.revision = revision;
    else this.change(this.meaningOf(entry), revision);
  }

  private meaningOf(entry: Entry | undefined): Known<T> {
    if (entry === undefined) return { kind: 'absent' };
    try {
      return { kind: 'value', entry, value: this.options.decode(entry) };
    } catch (error) {
      // Kept for whoever asks; the log says it once per change.
      this.options.logger.error('a record cannot be read', { key: entry.key, err: error });
      return { kind: 'unreadable', entry, error };
    }
  }

  private change(known: Known<T>, revision: number): void {
    this.known = known;
    this.revision = revision;
    this.changes += 1;
    // Waiting readers go on waiting for something that can be read.
    if (known.kind !== 'unreadable') this.options.onChange?.(this.current);
  }
}

/** By content too: a restored store may show the same revision with another value. */
function isSame<T>(entry: Entry | undefined, known: Known<T>): boolean {
  if (entry === undefined || known.kind === 'absent') {
    return entry === undefined && known.kind === 'absent';
  }
  return entry.modRevision === known.entry.modRevision && entry.value.equals(known.entry.value);
}
