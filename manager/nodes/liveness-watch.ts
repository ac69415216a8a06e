// Notices nodes whose heartbeats stopped: a watch per cluster on what lies under the heartbeats' leases. It only tells
// (events); who counts as alive is read from the store by whoever asks. All managers watch, and one telling stays.
import { setMaxListeners } from 'node:events';
import { isAbort } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { repeat } from '../../shared/lifecycle/repeat.js';
import type { Logger } from '../../shared/log/logger.js';
import { nodeLost } from '../events/tellings.js';
import type { Events } from '../events/events.js';
import { listClusterNames } from '../store/cluster-names.js';
import { numberOf, type ClusterKeys, type Keys } from '../store/keys.js';
import type { Store, Watch, WatchEvent } from '../store/port.js';
import { rangeAll } from '../store/range-all.js';
import { decodeRecord } from '../store/records.js';
import { nodeRecord } from './records.js';
import type { StoreContact } from './store-contact.js';

export interface LivenessDeps {
  readonly store: Store;
  readonly keys: Keys;
  readonly events: Pick<Events, 'tell'>;
  readonly contact: Pick<StoreContact, 'isInGrace' | 'answered'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ttlSeconds: number;
}

/** A cluster that another manager made is watched from here on after this long at most; one of this manager's at once. */
const LOOK_INTERVAL_MS = 10_000;

/** While nobody counts as dead it is looked again so often. */
const GRACE_POLL_MS = 500;

export class LivenessWatch {
  private readonly watched = new Map<string, ClusterLiveness>();
  private readonly abort = new AbortController();

  constructor(private readonly deps: LivenessDeps) {
    // Each cluster that is watched listens to it; that is no leak.
    setMaxListeners(0, this.abort.signal);
  }

  /** Runs until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, contact, logger } = this.deps;
    await contact.answered(signal);
    const look = async (): Promise<void> => {
      try {
        await this.look(signal);
      } catch (error) {
        if (signal.aborted && isAbort(error)) throw error;
        // The store being away is said by whoever watches it; here it only means that this waits.
        logger.debug('looking for clusters failed, trying again later', { err: error });
      }
    };
    await repeat(look, { intervalMs: LOOK_INTERVAL_MS, signal, clock });
  }

  /** Watches this cluster from now on; returns at once. */
  ensure(cluster: string): void {
    void this.watch(cluster);
  }

  close(): void {
    this.abort.abort();
    for (const each of this.watched.values()) each.close();
    this.watched.clear();
  }

  private async look(signal: AbortSignal): Promise<void> {
    const names = new Set(await listClusterNames(this.deps.store, this.deps.keys, signal));
    for (const [name, liveness] of this.watched) {
      if (names.has(name)) continue;
      this.watched.delete(name);
      liveness.close();
    }
    for (const name of names) await this.watch(name);
  }

  /** Never rejects; what could not be watched is tried again with the next look. */
  private async watch(name: string): Promise<void> {
    if (this.watched.has(name) || this.abort.signal.aborted) return;
    const liveness = new ClusterLiveness(name, this.deps, this.abort.signal);
    this.watched.set(name, liveness);
    try {
      await liveness.open();
    } catch (error) {
      this.deps.logger.debug('the nodes of a cluster cannot be watched yet', { err: error });
      if (this.watched.get(name) === liveness) this.watched.delete(name);
      liveness.close();
    }
  }
}

class ClusterLiveness {
  private readonly keys: ClusterKeys;
  /** By node id, which coming to life it is: the revision at which the key came into being. */
  private alive = new Map<number, number>();
  private opened: Watch | undefined;
  private readonly ended = new AbortController();
  private readonly signal: AbortSignal;

  constructor(
    private readonly name: string,
    private readonly deps: LivenessDeps,
    stop: AbortSignal,
  ) {
    this.keys = deps.keys.cluster(name);
    this.signal = AbortSignal.any([stop, this.ended.signal]);
    // Many nodes can be lost at the same time.
    setMaxListeners(0, this.signal);
  }

  async open(): Promise<void> {
    this.opened = await this.deps.store.watch(this.keys.alive, this.onEvent, this.signal);
    if (this.signal.aborted) this.opened.close();
    await this.read();
  }

  close(): void {
    this.ended.abort();
    this.opened?.close();
  }

  private readonly onEvent = (event: WatchEvent): void => {
    if (this.signal.aborted) return;
    if (event.kind === 'reset') {
      this.inBackground(this.read());
    } else if (event.kind === 'put') {
      this.alive.set(numberOf(event.entry.key), event.entry.createRevision);
    } else {
      const id = numberOf(event.key);
      const life = this.alive.get(id);
      this.alive.delete(id);
      if (life !== undefined) this.inBackground(this.lost(id, life));
    }
  };

  /** Who is alive now; those who were and are no more were missed by the watch. */
  private async read(): Promise<void> {
    const { entries } = await rangeAll(this.deps.store, this.keys.alive, { signal: this.signal });
    const before = this.alive;
    this.alive = new Map(entries.map((entry) => [numberOf(entry.key), entry.createRevision]));
    for (const [id, life] of before) if (!this.alive.has(id)) await this.lost(id, life);
  }

  /** Told unless the node was deregistered, or is back already. */
  private async lost(id: number, life: number): Promise<void> {
    const { store, contact, clock, events, ttlSeconds } = this.deps;
    // After the store was out of reach a missing heartbeat says nothing for a while.
    while (contact.isInGrace) await clock.sleep(GRACE_POLL_MS, this.signal);
    const [node, alive] = await Promise.all([
      store.get(this.keys.node(id), { signal: this.signal }),
      store.get(this.keys.aliveOf(id), { signal: this.signal }),
    ]);
    if (node === undefined || alive !== undefined) return;
    events.tell(this.name, nodeLost(decodeRecord(node, nodeRecord), { life, ttlSeconds }));
  }

  private inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (this.signal.aborted) return;
      this.deps.logger.debug('who was lost could not be told', { cluster: this.name, err: error });
    });
  }
}
