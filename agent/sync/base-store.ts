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
