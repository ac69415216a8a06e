// Where the base is kept. The real one is the journal of agent/state; tests use the one in memory.
import type { Base, BaseRecord } from './base.js';
import { NEW_BASE, reduceBase } from './base.js';

export interface BaseStore {
  readonly state: Base;
  /** On disk when it resolves. Throws `state-unwritable`: then nothing may be done that relied on it. */
  append(records: readonly BaseRecord[]): Promise<void>;
}

/** A base in memory, for tests and dry runs. */
export class MemoryBaseStore implements BaseStore {
  state: Base;

  constructor(base: Base = NEW_BASE) {
    this.state = { ...base, entries: new Map(base.entries) };
  }

  async append(records: readonly BaseRecord[]): Promise<void> {
    for (const record of records) this.state = reduceBase(this.state, record);
  }
}

/**
 * A store for one tick that may keep what was merely seen back until the next append: it goes to disk together with the
 * note of the first step, in one fsync. A crash before that loses nothing that would not be seen again.
 */
export class TickStore implements BaseStore {
  private deferred: BaseRecord[] = [];
  private ahead: Base | undefined;

  constructor(private readonly inner: BaseStore) {}

  /** With what is deferred applied. */
  get state(): Base {
    return this.ahead ?? this.inner.state;
  }

  /** Counts from now on, and is on disk after the next `append` or `flush`. */
  defer(records: readonly BaseRecord[]): void {
    if (records.length === 0) return;
    this.ahead = records.reduce(reduceBase, this.state);
    this.deferred.push(...records);
  }

  async append(records: readonly BaseRecord[]): Promise<void> {
    const all = [...this.deferred, ...records];
    await this.inner.append(all);
    this.deferred = [];
    this.ahead = undefined;
  }

  async flush(): Promise<void> {
    if (this.deferred.length > 0) await this.append([]);
  }
}
