// Heartbeats: in the steady case one renewal of one lease and nothing else. What the node's record says is remembered for as
// long as the registry's revision stays the same; a status is put only when it changed, and not too often.
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Logger } from '../../shared/log/logger.js';
import type { ClusterView } from '../metadata/cluster-views.js';
import type { LeaseId, Operation, Store } from '../store/port.js';
import { decodeRecord, encodeRecord } from '../store/records.js';
import type { InfluxdClaims } from './influxd-claims.js';
import type { HeldRecord } from './orders-record.js';
import {
  aliveRecord,
  nodeRecord,
  statusRecord,
  type AliveRecord,
  type InfluxdIdentity,
  type StatusRecord,
} from './records.js';
import { nodeNotFound } from './registrar.js';

/** A changed status is put at most this often per node, so that a busy cluster does not fill the store's log. */
export const STATUS_INTERVAL_MS = 10_000;

/** More tries than managers that could renew one node's liveness at the same time. */
const MAX_TRIES = 5;

export interface Heartbeat {
  readonly uid: string | undefined;
  readonly session: string | undefined;
  /** Undefined: the caller says nothing but that it is there. */
  readonly status: Omit<StatusRecord, 'at' | 'held'> | undefined;
  /** What waits for a person; undefined: nothing does. */
  readonly held?: HeldRecord | undefined;
}

export interface Refreshed {
  /** False where the node had not counted as alive any more. */
  readonly wasAlive: boolean;
}

/** What an agent's status says while it obeys a pause; people wait for this word. */
export const PAUSED_STATE = 'paused';

export interface HeartbeatDeps {
  readonly store: Store;
  readonly claims: InfluxdClaims;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ttlSeconds: number;
}

/** What this manager remembers of a node. */
interface Beat {
  /** Of the registry when this was read. */
  readonly revision: number;
  readonly nodeModRevision: number;
  readonly uid: string | undefined;
  readonly session: string | undefined;
  lease: LeaseId | undefined;
  /** The status as last put, without its time. */
  statusText: string;
  influxd: InfluxdIdentity | undefined;
  /** As last put. */
  heldDigest: string | undefined;
  isPaused: boolean;
  /** Monotonic; of the last put by this manager. */
  statusPutMs: number;
}

export class Heartbeats {
  private readonly beats = new Map<string, Beat>();
  /** Wall clock ms of the last heartbeat that came through this manager. */
  private readonly seenMs = new Map<string, number>();

  constructor(private readonly deps: HeartbeatDeps) {}

  /** When the node was last heard of here; undefined: never. Wall clock ms. */
  lastSeenMs(cluster: string, id: number): number | undefined {
    return this.seenMs.get(beatKey(cluster, id));
  }

  /**
   * Renews the node's liveness and takes its status.
   * Throws AppError `node-not-found` (404), `session-superseded`, `influxd-in-use` (409), `store-unavailable`.
   */
  async refresh(
    view: ClusterView,
    id: number,
    heartbeat: Heartbeat,
    signal: AbortSignal,
  ): Promise<Refreshed> {
    const key = beatKey(view.name, id);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const beat = await this.beatOf(view, id, signal);
      checkIdentity(view.name, id, beat, heartbeat);
      const renewed = await this.renew(view, id, beat, signal);
      if (renewed !== undefined) {
        this.seenMs.set(key, this.deps.clock.nowMs());
        await this.takeStatus(view, id, beat, heartbeat, signal);
        return renewed;
      }
      // Somebody else changed the node or its liveness meanwhile: look again.
      this.beats.delete(key);
    }
    throw new AppError(
      'store-unavailable',
      `the liveness of node ${id} could not be renewed, because others change it all the time; try again`,
      { status: 503, retryable: true },
    );
  }

  private async beatOf(view: ClusterView, id: number, signal: AbortSignal): Promise<Beat> {
    const key = beatKey(view.name, id);
    const revision = await view.registry.recent();
    if (revision === undefined) throw nodeNotFound(view.name, id);
    const known = this.beats.get(key);
    if (known?.revision === revision) return known;
    const beat = await this.load(view, id, revision, signal);
    if (beat === undefined) {
      this.beats.delete(key);
      this.seenMs.delete(key);
      throw nodeNotFound(view.name, id);
    }
    // What was put by this manager keeps its time, so that a busy registry does not lift the limit on puts.
    beat.statusPutMs = known?.statusPutMs ?? beat.statusPutMs;
    this.beats.set(key, beat);
    return beat;
  }

  private async load(
    { keys }: ClusterView,
    id: number,
    revision: number,
    signal: AbortSignal,
  ): Promise<Beat | undefined> {
    const { store } = this.deps;
    const [nodeEntry, aliveEntry, statusEntry] = await Promise.all([
      store.get(keys.node(id), { signal }),
      store.get(keys.aliveOf(id), { signal }),
      store.get(keys.statusOf(id), { signal }),
    ]);
    if (nodeEntry === undefined) return undefined;
    const node = decodeRecord(nodeEntry, nodeRecord);
    const status = statusEntry === undefined ? undefined : decodeRecord(statusEntry, statusRecord);
    return {
      revision,
      nodeModRevision: nodeEntry.modRevision,
      uid: node.uid,
      session: node.session,
      lease: aliveEntry === undefined ? undefined : decodeRecord(aliveEntry, aliveRecord).lease,
      statusText: status === undefined ? '' : textOf(status),
      influxd: status?.influxd,
      heldDigest: status?.held?.digest,
      isPaused: status?.state === PAUSED_STATE,
      statusPutMs: -Infinity,
    };
  }

  /** Renews the lease, by id; where it is gone, puts the liveness under a new one. undefined: look again. */
  private async renew(
    view: ClusterView,
    id: number,
    beat: Beat,
    signal: AbortSignal,
  ): Promise<Refreshed | undefined> {
    const { store } = this.deps;
    if (beat.lease !== undefined && (await store.keepAlive(beat.lease, signal))) return ALIVE;
    const key = view.keys.aliveOf(id);
    const before = await store.get(key, { signal });
    const current = before === undefined ? undefined : decodeRecord(before, aliveRecord).lease;
    if (current !== undefined && current !== beat.lease) {
      // Another manager has put it under another lease meanwhile.
      beat.lease = current;
      if (await store.keepAlive(current, signal)) return ALIVE;
    }
    const lease = await store.grantLease(this.deps.ttlSeconds, signal);
    const record: AliveRecord = {
      ...(beat.session === undefined ? {} : { session: beat.session }),
      lease,
      at: this.now(),
    };
    const isPut = await this.transactOrRefuse(
      [
        before === undefined
          ? { key, is: 'absent' }
          : { key, is: 'at', modRevision: before.modRevision },
        { key: view.keys.node(id), is: 'at', modRevision: beat.nodeModRevision },
      ],
      [{ put: key, value: encodeRecord(record), leaseId: lease }],
      signal,
    );
    if (!isPut) return undefined;
    beat.lease = lease;
    return { wasAlive: before !== undefined };
  }

  private async takeStatus(
    view: ClusterView,
    id: number,
    beat: Beat,
    { status: said, held }: Heartbeat,
    signal: AbortSignal,
  ): Promise<void> {
    if (said === undefined) return;
    const status = held === undefined ? said : { ...said, held: summaryOf(held) };
    const text = textOf(status);
    if (text === beat.statusText) return;
    const nowMs = this.deps.clock.monotonicMs();
    const isOtherInfluxd = !isSameInfluxd(status.influxd, beat.influxd);
    const isPaused = status.state === PAUSED_STATE;
    // The identity of the influxd is checked at once, and people wait for what is held and paused; everything else can wait
    // for its turn.
    const isUrgent =
      isOtherInfluxd || held?.digest !== beat.heldDigest || isPaused !== beat.isPaused;
    if (!isUrgent && nowMs - beat.statusPutMs < STATUS_INTERVAL_MS) return;
    const owner = { cluster: view.name, id };
    const claim =
      isOtherInfluxd && status.influxd !== undefined
        ? await this.deps.claims.prepare(owner, status.influxd, beat.influxd, signal)
        : { comparisons: [], operations: [] };
    const record: StatusRecord = { ...status, at: this.now() };
    const isPut = await this.transactOrRefuse(
      [
        { key: view.keys.node(id), is: 'at', modRevision: beat.nodeModRevision },
        ...claim.comparisons,
      ],
      [
        { put: view.keys.statusOf(id), value: encodeRecord(record) },
        ...heldOperations(view.keys.heldOf(id), held, beat.heldDigest),
        ...claim.operations,
      ],
      signal,
    );
    // What was refused comes again with the next heartbeat, which then also sees why.
    if (!isPut) return;
    beat.statusText = text;
    beat.influxd = status.influxd;
    beat.heldDigest = held?.digest;
    beat.isPaused = isPaused;
    beat.statusPutMs = nowMs;
  }

  /** An unknown outcome counts as refused: the caller looks again, and doing it twice does no harm. */
  private async transactOrRefuse(...args: Parameters<Store['transact']>): Promise<boolean> {
    try {
      return (await this.deps.store.transact(...args)).kind === 'committed';
    } catch (error) {
      if (!isAppError(error, 'outcome-unknown')) throw error;
      this.deps.logger.debug('the outcome of a heartbeat is unknown, looking again', {
        err: error,
      });
      return false;
    }
  }

  private now(): string {
    return new Date(this.deps.clock.nowMs()).toISOString();
  }
}

const ALIVE: Refreshed = { wasAlive: true };

function summaryOf({ digest, count }: HeldRecord): NonNullable<StatusRecord['held']> {
  return { digest, count };
}

/** The list is put when it is another one, and goes when nothing is held. */
function heldOperations(
  key: string,
  held: HeldRecord | undefined,
  before: string | undefined,
): Operation[] {
  if (held?.digest === before) return [];
  return [held === undefined ? { delete: key } : { put: key, value: encodeRecord(held) }];
}

function beatKey(cluster: string, id: number): string {
  return `${id}/${cluster}`;
}

function textOf({
  version,
  state,
  pending,
  hints,
  influxd,
  held,
}: Omit<StatusRecord, 'at'>): string {
  return JSON.stringify([version, state, pending, hints, influxd, held]);
}

/** The same running process; its index moves all the time. */
function isSameInfluxd(a: InfluxdIdentity | undefined, b: InfluxdIdentity | undefined): boolean {
  return a?.clusterId === b?.clusterId && a?.started === b?.started;
}

function checkIdentity(cluster: string, id: number, beat: Beat, heartbeat: Heartbeat): void {
  const { uid, session } = heartbeat;
  const reason =
    uid !== undefined && beat.uid !== undefined && uid !== beat.uid
      ? 'belongs to another uid'
      : session !== undefined && beat.session !== undefined && session !== beat.session
        ? 'was registered again by a newer session'
        : undefined;
  if (reason === undefined) return;
  throw new AppError(
    'session-superseded',
    `node ${id} of cluster ${JSON.stringify(cluster)} ${reason}; this agent must stop acting for it`,
    { status: 409 },
  );
}
