// Watches this node's own shards: brings along what a joining server has, and takes the node out of the reads of groups that
// it may lack points of. Until influxd was looked at after a start, nothing is known to be whole.
import { AppError, isAbort } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import { Latch } from '../../../shared/lifecycle/latch.js';
import type { Logger } from '../../../shared/log/logger.js';
import { lineageOf } from '../../../shared/meta/lineage.js';
import type { PlacedGroup } from '../../../shared/placement/model.js';
import type { InfluxControl } from '../../influxd/port.js';
import type { RunWatch } from '../../influxd/run-watch.js';
import type { PlacementApi } from '../../manager-api/placement-api.js';
import type { Metadata } from '../metadata/port.js';
import { broughtGroups, looked, type ShardsSeen } from './own-shards-look.js';
import type { OwnShardsState } from './own-shards-state.js';
import { NEW_STATE, readOwnShards, writeOwnShards } from './own-shards-state.js';
import type { PlacementView } from './port.js';

export interface OwnShardsDeps {
  /** `<state-dir>/shards.json`. */
  readonly path: string;
  readonly control: Pick<InfluxControl, 'readMemory' | 'loadedShards'>;
  readonly placement: Pick<PlacementView, 'current' | 'ofDatabase' | 'markIncomplete'>;
  readonly api: Pick<PlacementApi, 'adopt'>;
  readonly metadata: () => Metadata;
  /** False before this node has heard of its cluster: which groups are its own can't be said then. */
  readonly isMetadataKnown: () => boolean;
  /** The one that it had last, while this run is not registered; undefined before the first time. */
  readonly nodeId: () => number | undefined;
  readonly watch: Pick<RunWatch, 'watch' | 'close'>;
  /** True once what this server has was compared with the cluster: its databases are known there then. */
  readonly hasJoined: () => boolean;
  readonly isShared: (database: string) => boolean;
  readonly clock: Pick<Clock, 'sleep' | 'nowMs'>;
  readonly logger: Logger;
}

/** A shard that vanishes under a running influxd is a disk that fails: seen within a minute. */
const INTERVAL_MS = 60_000;
/** Until the first look after a start, or after influxd came back, has succeeded. */
const RETRY_MS = 100;
const MS_NS = 1_000_000n;

export const NOT_LOOKED =
  'its influxd does not answer, or its shards were not looked at yet since it or its agent was started';

/** A shard of the local influxd, for people. */
export interface LocalShard {
  /** influxd's own number. */
  readonly id: string;
  /** On disk. */
  readonly bytes: number;
}

export class OwnShards {
  private state: OwnShardsState = NEW_STATE;
  /** The run of influxd that was looked at; `lookedAt` is what others may go by. */
  private looked: AbortSignal | undefined;
  private loaded: readonly LocalShard[] = [];
  private wake = new AbortController();
  private readonly adopted = new Latch();
  private changing: Promise<void> = Promise.resolve();

  constructor(private readonly deps: OwnShardsDeps) {}

  /** Throws `state-not-current`. */
  async load(): Promise<void> {
    this.state = await readOwnShards(this.deps.path);
    if (this.state.isAdopted) this.adopted.open();
  }

  /** Resolves when what this server brought is in the placement: nothing is written into its shards before. */
  whenAdopted(signal: AbortSignal): Promise<void> {
    return this.adopted.wait(signal);
  }

  get isAdopted(): boolean {
    return this.state.isAdopted;
  }

  /** Why this node may lack points of a group that it owns; undefined where nothing speaks against it. */
  lacks(group: number): string | undefined {
    if (this.lookedAt === undefined) return NOT_LOOKED;
    return this.state.lost.get(group);
  }

  /** As influxd had them loaded at the last look. */
  get localShards(): readonly LocalShard[] {
    return this.loaded;
  }

  /**
   * The run of influxd that was looked at, aborted when it has ended. Undefined until then, or again: nothing is to be written,
   * because a shard that was lost would be made anew and pass for the one that had its points.
   */
  get lookedAt(): AbortSignal | undefined {
    return this.looked?.aborted === false ? this.looked : undefined;
  }

  /** influxd does not answer: it may come back as another one. */
  noteAway(): void {
    if (this.looked === undefined) return;
    this.looked = undefined;
    this.wake.abort();
  }

  /** Points of this group are on influxd's disk: on record, once it resolves, so that it is known if they are gone one day. */
  async noteWritten(group: number): Promise<void> {
    if (this.state.written.has(group)) return;
    // Several may wait for the same record, and each look makes a new one.
    await this.change((state) => ({ ...state, written: new Set([...state.written, group]) }));
  }

  close(): void {
    this.deps.watch.close();
  }

  /** Looks now and then until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.wake = new AbortController();
      const isWhole = await this.lookOrSay(signal);
      const waits = AbortSignal.any([signal, this.wake.signal]);
      await this.deps.clock.sleep(isWhole ? INTERVAL_MS : RETRY_MS, waits).catch(() => undefined);
    }
  }

  /** True where there is nothing left to do before the next round. */
  private async lookOrSay(signal: AbortSignal): Promise<boolean> {
    try {
      await this.look(signal);
      return this.lookedAt !== undefined && this.state.isAdopted && this.state.lost.size === 0;
    } catch (error) {
      if (signal.aborted) return true;
      const isExpected = isAbort(error) || error instanceof AppError;
      if (!isExpected) throw error;
      this.deps.logger.debug('looking at the shards failed, trying again', { err: error });
      return false;
    }
  }

  private async look(signal: AbortSignal): Promise<void> {
    const { control, placement, nodeId, isMetadataKnown, watch } = this.deps;
    // Watched before it is looked at: what is seen is of this run, or is not believed.
    const run = await watch.watch(signal);
    const { written } = this.state;
    const shards = await control.loadedShards(signal);
    const loaded = new Set(shards.map(({ id }) => id.toString()));
    this.loaded = shards.map(({ id, bytes = 0 }) => ({ id: id.toString(), bytes }));
    const lineage = lineageOf(await control.readMemory(signal));
    if (!this.state.isAdopted) await this.adopt({ lineage, loaded }, signal);
    const node = nodeId();
    // Whoever does not know what is his sees nothing missing.
    if (node === undefined || !isMetadataKnown()) return;
    const isExpired = (group: PlacedGroup) => this.isExpired(group);
    await this.change((state) => {
      const owned = this.ownedBy(node);
      const next = looked(state, { lineage, loaded, written, owned, isExpired });
      this.sayLost(state, next);
      return next;
    });
    if (run.aborted) return;
    if (this.looked !== run) {
      this.looked = run;
      run.addEventListener('abort', () => {
        if (this.looked === run) this.noteAway();
      });
    }
    await this.tellLost(node, placement, signal);
  }

  private sayLost(before: OwnShardsState, next: OwnShardsState): void {
    const text = 'this node may lack points of a shard group, it answers no reads of it';
    for (const [group, reason] of next.lost) {
      if (!before.lost.has(group)) this.deps.logger.error(text, { reason, shard: group });
    }
  }

  /** Once: a server that the cluster never saw brings its groups along. */
  private async adopt(
    seen: Pick<ShardsSeen, 'lineage' | 'loaded'>,
    signal: AbortSignal,
  ): Promise<void> {
    const node = this.deps.nodeId();
    if (node === undefined || !this.deps.hasJoined()) return;
    const groups = broughtGroups(seen, this.deps.isShared).map((group) => ({
      database: group.database,
      policy: group.policy,
      startNs: BigInt(group.startNs),
      endNs: BigInt(group.endNs),
    }));
    if (groups.length > 0) {
      await this.deps.api.adopt(node, groups, signal);
      this.deps.logger.info('the cluster has the shard groups that this server brought along', {
        count: groups.length,
      });
    }
    await this.change((state) => ({ ...state, isAdopted: true }));
    this.adopted.open();
  }

  private async tellLost(
    node: number,
    placement: OwnShardsDeps['placement'],
    signal: AbortSignal,
  ): Promise<void> {
    const byReason = new Map<string, number[]>();
    for (const [group, why] of this.state.lost) {
      byReason.set(why, [...(byReason.get(why) ?? []), group]);
    }
    for (const [why, groups] of byReason) {
      await placement.markIncomplete(node, groups, why, signal);
      // From now on the placement says it, and a person, or a repair, may take it back there.
      await this.change((state) => ({
        ...state,
        lost: new Map([...state.lost].filter(([group]) => !groups.includes(group))),
      }));
    }
  }

  private ownedBy(node: number): PlacedGroup[] {
    const { metadata, placement } = this.deps;
    return [...metadata().databases.keys()]
      .flatMap((database) => placement.ofDatabase(database))
      .filter(({ shards }) =>
        shards.some(({ owners }) => owners.some((owner) => owner.node === node)),
      );
  }

  private isExpired({ database, policy, endNs }: PlacedGroup): boolean {
    const durationNs =
      this.deps.metadata().databases.get(database)?.policies.get(policy)?.durationNs ?? 0n;
    return durationNs > 0n && endNs + durationNs < BigInt(this.deps.clock.nowMs()) * MS_NS;
  }

  /** One change after the other, each on disk before it counts. */
  private change(make: (state: OwnShardsState) => OwnShardsState): Promise<void> {
    const changed = this.changing.then(async () => {
      const next = make(this.state);
      if (!isSame(this.state, next)) await writeOwnShards(this.deps.path, next);
      this.state = next;
    });
    this.changing = changed.catch(() => undefined); // the caller has its error
    return changed;
  }
}

function isSame(a: OwnShardsState, b: OwnShardsState): boolean {
  const text = (state: OwnShardsState) =>
    JSON.stringify([
      state.isAdopted,
      state.clusterId,
      state.term.toString(),
      // Only that it never falls matters; it rises with each statement.
      state.index.toString(),
      [...state.shards],
      [...state.lost],
      [...state.written],
    ]);
  return text(a) === text(b);
}
