// Registers and deregisters nodes. An id belongs to one uid for ever; ids, uids and the next id change in one transaction.
import { randomUUID } from 'node:crypto';
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import { createBackoff, sleep } from '../../shared/lifecycle/backoff.js';
import { reached } from '../../shared/failpoint/failpoint.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { ClusterView } from '../metadata/cluster-views.js';
import type { Comparison, Entry, LeaseId, Operation, Store } from '../store/port.js';
import { decodeRecord, encodeRecord } from '../store/records.js';
import type { InfluxdClaims } from './influxd-claims.js';
import { KeyedQueue } from './keyed-queue.js';
import {
  nextIdRecord,
  nodeRecord,
  statusRecord,
  uidRecord,
  type AliveRecord,
  type InfluxdIdentity,
  type NodeRecord,
  type StatusRecord,
  type UidRecord,
} from './records.js';

/** How long a registration may fight for its id or look for an unknown outcome. */
const REGISTER_DEADLINE_MS = 10_000;

/** What a node says of itself when it registers. Address, labels and versions that it leaves out stay as they were. */
export interface Registration {
  readonly uid: string | undefined;
  readonly session: string | undefined;
  readonly previousSession: string | undefined;
  readonly candidates: readonly string[];
  readonly hostname: string;
  readonly ips: readonly string[];
  readonly influxd: InfluxdIdentity | undefined;
  readonly bindAddress: string | undefined;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly versions: Readonly<Record<string, string>> | undefined;
  /** The address of a node that never named one. */
  readonly defaultAddress: string;
}

export interface Registered {
  readonly id: number;
  /** False where the uid had this id already. */
  readonly isNew: boolean;
  /** False where it was not registered (any more). */
  readonly wasRegistered: boolean;
  /** False where no heartbeat counted any more. */
  readonly wasAlive: boolean;
  /** As it is recorded now. */
  readonly hostname: string;
  readonly bindAddress: string;
}

export interface RegistrarDeps {
  readonly store: Store;
  readonly claims: InfluxdClaims;
  readonly clock: Clock;
  readonly ttlSeconds: number;
}

/** A registration with what is made once for its tries. */
interface Job {
  readonly view: ClusterView;
  readonly registration: Registration;
  readonly op: string;
  readonly signal: AbortSignal;
  lease: LeaseId | undefined;
  /** The id of the last try; looked at when its outcome is unknown. */
  tried: Registered | undefined;
}

export class Registrar {
  /** One registration per cluster at a time on this manager, so that they do not fight for the next id. */
  private readonly queue = new KeyedQueue();

  constructor(private readonly deps: RegistrarDeps) {}

  /** Throws AppError `state-not-current`, `influxd-in-use` (409), `store-unavailable`, `outcome-unknown`. */
  register(view: ClusterView, registration: Registration, stop: AbortSignal): Promise<Registered> {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(REGISTER_DEADLINE_MS)]);
    const job: Job = {
      view,
      registration,
      op: randomUUID(),
      signal,
      lease: undefined,
      tried: undefined,
    };
    return this.queue.run(view.name, () => this.untilDefinite(job));
  }

  private async untilDefinite(job: Job): Promise<Registered> {
    const backoff = createBackoff({ initialMs: 20 });
    for (;;) {
      try {
        const registered = await this.attempt(job);
        if (registered !== undefined) return registered;
      } catch (error) {
        if (!isAppError(error, 'outcome-unknown') || job.signal.aborted) throw error;
      }
      await sleep(backoff.nextDelayMs(), job.signal);
    }
  }

  /** undefined: somebody else changed one of the records meanwhile; try again. */
  private async attempt(job: Job): Promise<Registered | undefined> {
    const { view, registration, signal } = job;
    const { store } = this.deps;
    const { keys } = view;
    if (job.tried !== undefined && (await this.isOurs(job, job.tried))) return job.tried;

    const uidKey = registration.uid === undefined ? undefined : keys.uid(registration.uid);
    const [uidEntry, nextEntry, newest] = await Promise.all([
      uidKey === undefined ? undefined : store.get(uidKey, { signal }),
      store.get(keys.nextId, { signal }),
      view.feed.latest(),
    ]);
    const known = uidEntry === undefined ? undefined : decodeRecord(uidEntry, uidRecord);
    if (known !== undefined) checkSession(known, registration);
    const next = nextEntry === undefined ? 1 : decodeRecord(nextEntry, nextIdRecord).next;
    const id = known?.id ?? Math.max(next, (newest?.record.maxNodeId ?? 0) + 1);
    const [nodeEntry, aliveEntry] = await Promise.all([
      store.get(keys.node(id), { signal }),
      known === undefined ? undefined : store.get(keys.aliveOf(id), { signal }),
    ]);
    const wasRegistered = nodeEntry !== undefined;

    const influxd = await this.claim(job, id);
    job.lease ??= await store.grantLease(this.deps.ttlSeconds, signal);
    const node = this.nodeOf(job, id, nodeEntry);
    job.tried = {
      id,
      isNew: known === undefined,
      wasRegistered,
      wasAlive: aliveEntry !== undefined,
      hostname: node.hostname,
      bindAddress: node.bindAddress,
    };
    const comparisons: Comparison[] = [
      unchanged(keys.node(id), nodeEntry),
      ...(uidKey === undefined ? [] : [unchanged(uidKey, uidEntry)]),
      ...(known === undefined ? [unchanged(keys.nextId, nextEntry)] : []),
      ...influxd.comparisons,
    ];
    const operations: Operation[] = [
      ...this.nodeOperations(job, node, job.lease),
      ...(known === undefined ? [{ put: keys.nextId, value: encodeRecord({ next: id + 1 }) }] : []),
      ...influxd.operations,
    ];
    await reached('manager.register.prepared');
    const { kind } = await store.transact(comparisons, operations, signal);
    await reached('manager.register.committed');
    return kind === 'committed' ? job.tried : undefined;
  }

  /** Whether the last try, whose outcome is unknown, was committed after all. */
  private async isOurs({ view, op, signal }: Job, { id }: Registered): Promise<boolean> {
    const entry = await this.deps.store.get(view.keys.node(id), { signal });
    return entry !== undefined && decodeRecord(entry, nodeRecord).op === op;
  }

  /** @param entry the record that is replaced; undefined for a node that is new or was deregistered */
  private nodeOf({ registration, op }: Job, id: number, entry: Entry | undefined): NodeRecord {
    const { uid, session, hostname, ips } = registration;
    const before = entry === undefined ? undefined : decodeRecord(entry, nodeRecord);
    const at = new Date(this.deps.clock.nowMs()).toISOString();
    return {
      id,
      ...(uid === undefined ? {} : { uid }),
      ...(session === undefined ? {} : { session }),
      hostname,
      ips: [...ips],
      bindAddress: registration.bindAddress ?? before?.bindAddress ?? registration.defaultAddress,
      labels: registration.labels ?? before?.labels ?? {},
      versions: registration.versions ?? before?.versions ?? {},
      registeredAt: at,
      op,
    };
  }

  private nodeOperations({ view }: Job, node: NodeRecord, lease: LeaseId): Operation[] {
    const { keys } = view;
    const { id, uid, session, registeredAt: at } = node;
    const named = session === undefined ? {} : { session };
    const alive: AliveRecord = { ...named, lease, at };
    return [
      { put: keys.node(id), value: encodeRecord(node) },
      { put: keys.aliveOf(id), value: encodeRecord(alive), leaseId: lease },
      { put: keys.registry, value: encodeRecord({ at }) },
      ...(uid === undefined
        ? []
        : [{ put: keys.uid(uid), value: encodeRecord({ id, ...named } satisfies UidRecord) }]),
    ];
  }

  /** The influxd that the node names, where it names one. */
  private async claim(
    { view, registration: { influxd }, signal }: Job,
    id: number,
  ): Promise<{ comparisons: readonly Comparison[]; operations: readonly Operation[] }> {
    if (influxd === undefined) return { comparisons: [], operations: [] };
    const key = view.keys.statusOf(id);
    const entry = await this.deps.store.get(key, { signal });
    const before = entry === undefined ? NO_STATUS : decodeRecord(entry, statusRecord);
    const owner = { cluster: view.name, id };
    const parts = await this.deps.claims.prepare(owner, influxd, before.influxd, signal);
    const at = new Date(this.deps.clock.nowMs()).toISOString();
    const status: StatusRecord = { ...before, influxd, at };
    return {
      comparisons: [...parts.comparisons, unchanged(key, entry)],
      operations: [...parts.operations, { put: key, value: encodeRecord(status) }],
    };
  }

  /** Throws AppError `node-not-found`. The uid keeps its id. */
  async deregister(view: ClusterView, id: number, signal: AbortSignal): Promise<void> {
    const { keys } = view;
    const at = new Date(this.deps.clock.nowMs()).toISOString();
    const { kind } = await this.deps.store.transact(
      [{ key: keys.node(id), is: 'present' }],
      [
        { delete: keys.node(id) },
        { delete: keys.aliveOf(id) },
        { delete: keys.statusOf(id) },
        { delete: keys.heldOf(id) },
        { put: keys.registry, value: encodeRecord({ at }) },
      ],
      signal,
    );
    if (kind === 'refused') throw nodeNotFound(view.name, id);
  }
}

const NO_STATUS: StatusRecord = { version: 0, state: 'registered', pending: 0, hints: [], at: '' };

function unchanged(key: string, entry: Entry | undefined): Comparison {
  return entry === undefined
    ? { key, is: 'absent' }
    : { key, is: 'at', modRevision: entry.modRevision };
}

/** A state directory that was restored or copied knows none of the sessions that the record may hold. */
function checkSession(known: UidRecord, registration: Registration): void {
  const { session, previousSession, candidates } = registration;
  if (known.session === undefined || session === undefined) return;
  if ([session, previousSession, ...candidates].includes(known.session)) return;
  throw new AppError(
    'state-not-current',
    `node ${known.id} was last registered by a session that this agent does not know: its state directory was restored or copied; run \`clusterflux agent rejoin\` on it`,
    { status: 409, details: { id: known.id } },
  );
}

export function nodeNotFound(cluster: string, id: number): AppError {
  return new AppError(
    'node-not-found',
    `there is no node ${id} in cluster ${JSON.stringify(cluster)}; GET /nodes lists those that are`,
    { status: 404 },
  );
}
