// The store in memory: the fake of the tests, with the meaning of etcd. It keeps nothing when the process ends.
import { systemClock, type Clock } from '../../../shared/lifecycle/clock.js';
import { Engine } from './engine.js';
import { EngineStore } from './engine-store.js';

export interface MemoryStoreOptions {
  /** Decides when leases end; the system's clock where absent. */
  readonly clock?: Clock;
}

/** `new MemoryStore()`; close it, or the timer of a living lease keeps the process for its TTL. */
export class MemoryStore extends EngineStore {
  private readonly engine: Engine;

  constructor(options: MemoryStoreOptions = {}) {
    const engine = new Engine();
    super({ engine, clock: options.clock ?? systemClock(), location: 'memory' });
    this.engine = engine;
  }

  /** Forgets what only readers below `revision` need, as etcd's compaction does. */
  compact(revision: number): void {
    this.engine.compact(revision);
  }
}
