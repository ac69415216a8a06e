// Keeps this node in the managers' registry: registers, sends heartbeats, registers again when it is not known any more.
// Where a manager says that this agent must not act, it says so to the others and goes on asking; it never ends the process.
import { AppError, isAbort, isAppError } from '../../shared/errors/app-error.js';
import type { Orders } from '../../shared/api/orders.js';
import { reached } from '../../shared/failpoint/failpoint.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Logger } from '../../shared/log/logger.js';
import type { Availability } from '../manager-api/availability.js';
import type {
  Heartbeat,
  MembershipApi,
  Refreshed,
  Refusal,
  Registered,
  Registration,
} from '../manager-api/membership-port.js';
import type { Identity } from '../state/identity.js';

/** Where this node stands with the managers. */
export type Standing =
  /** No manager has answered a registration yet (in this run, or since the node was forgotten). */
  | { readonly kind: 'unregistered' }
  | { readonly kind: 'member'; readonly id: number }
  /** This agent must neither push nor apply; `sentence` says why and what to do. */
  | { readonly kind: 'refused'; readonly code: string; readonly sentence: string };

/** What membership keeps in the state directory. */
export interface SessionStore {
  readonly identity: Identity;
  beginSession(): Promise<string>;
  confirm(session: string, nodeId: number): Promise<void>;
}

export interface MembershipDeps {
  readonly cluster: string;
  readonly api: MembershipApi;
  readonly state: SessionStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly availability: Availability;
  /** `agent.heartbeat-interval`; the manager's answer counts where it is smaller. */
  readonly heartbeatIntervalMs: number;
  /** Deregister when stopping (`agent.deregister-on-stop`). */
  readonly deregisterOnStop: boolean;
  /** What others may know of this node. */
  readonly describe: () => Omit<Registration, 'uid' | 'session' | 'previousSession' | 'candidates'>;
  readonly report: () => Omit<Heartbeat, 'uid' | 'session'>;
  readonly onStanding: (standing: Standing) => void;
  /** What people ordered of this node, with each answer; it is on disk when this resolves. */
  readonly onOrders: (orders: Orders) => Promise<void>;
  /** The cluster's newest version is another one than at the heartbeat before ('' and 0: no such cluster). */
  readonly onNews: (newest: { readonly version: number; readonly incarnation: string }) => void;
  /** The registry or the placement is another than at the heartbeat before; also after each registration. */
  readonly onDataPlaneNews: (newest: DataPlaneNews) => void;
}

export interface DataPlaneNews {
  /** Undefined right after a registration, whose answer does not say. */
  readonly placementVersion: number | undefined;
}

/** After all endpoints were tried in vain they are tried again so often, for ever. */
const RETRY_MS = 2_000;

/** A refusal may be lifted (the other agent goes, a person forgets the node), which is nothing to ask for every second. */
const REFUSED_RETRY_MS = 30_000;

/** Stopping is prompt: a manager that does not answer by then finds out by the TTL. */
const DEREGISTER_DEADLINE_MS = 700;

export class Membership {
  readonly name = 'membership';
  readonly phase = 'workers';
  private session: string | undefined;
  private registeredId: number | undefined;
  private refusal: Refusal | undefined;
  private intervalMs: number;
  private lastSeen: string | undefined;
  private lastDataPlane: string | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly deps: MembershipDeps) {
    this.intervalMs = deps.heartbeatIntervalMs;
  }

  /** The id under which this run is registered; undefined before, and while a manager refuses this agent. */
  get nodeId(): number | undefined {
    return this.registeredId;
  }

  /** Runs until the signal is aborted. Throws only for a state directory that can't be written at the very start. */
  async start(signal: AbortSignal): Promise<void> {
    this.session = await this.deps.state.beginSession();
    await reached('agent.register.candidate');
    this.running = this.run(signal);
    await this.running;
  }

  /** Deregisters, where that is asked for. */
  async stop(): Promise<void> {
    await this.running;
    const id = this.registeredId;
    if (!this.deps.deregisterOnStop || id === undefined) return;
    const signal = AbortSignal.timeout(DEREGISTER_DEADLINE_MS);
    try {
      const result = await this.deps.api.deregister(this.deps.cluster, id, signal);
      if (result.kind === 'done') this.deps.logger.info('deregistered', { node: id });
      else this.deps.logger.warn('not deregistered', { node: id, reason: result.detail });
    } catch (error) {
      // The node stays listed and counts as not alive after its TTL; stopping goes on.
      this.deps.logger.warn('not deregistered, no manager answered', { node: id, err: error });
    }
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.deps.clock.sleep(await this.step(signal), signal);
      } catch (error) {
        if (isAbort(error)) return;
        throw error;
      }
    }
  }

  /** One call to the managers; how long to wait before the next. */
  private async step(signal: AbortSignal): Promise<number> {
    try {
      const waitMs =
        this.registeredId === undefined
          ? await this.register(signal)
          : await this.refresh(this.registeredId, signal);
      this.deps.availability.succeeded('heartbeat');
      return waitMs;
    } catch (error) {
      if (isAbort(error) || signal.aborted) throw error;
      this.noteFailure(error);
      return Math.min(RETRY_MS, this.intervalMs);
    }
  }

  private async register(signal: AbortSignal): Promise<number> {
    const { state, cluster, api } = this.deps;
    const { uid, confirmedSession, candidates } = state.identity;
    const session = this.currentSession;
    const result = await api.register(
      cluster,
      {
        ...this.deps.describe(),
        uid,
        session,
        previousSession: confirmedSession,
        // After a confirmation the list is empty, and this session is the previous one: it stays a candidate of itself.
        candidates: candidates.includes(session) ? candidates : [...candidates, session],
      },
      signal,
    );
    if (result.kind === 'refused') return this.refused(result);
    return this.registered(result, session);
  }

  private async registered(result: Registered, session: string): Promise<number> {
    await reached('agent.register.answered');
    await this.deps.state.confirm(session, result.id);
    await reached('agent.register.confirmed');
    // Before anything else is done as a member: a paused node does nothing.
    if (result.orders !== undefined) await this.deps.onOrders(result.orders);
    this.registeredId = result.id;
    this.refusal = undefined;
    this.adoptInterval(result.heartbeatIntervalMs);
    this.deps.logger.info('registered', { node: result.id, metaVersion: result.version });
    this.deps.onStanding({ kind: 'member', id: result.id });
    this.noteVersion(result);
    this.lastDataPlane = undefined;
    this.deps.onDataPlaneNews({ placementVersion: undefined });
    return this.intervalMs;
  }

  private async refresh(id: number, signal: AbortSignal): Promise<number> {
    const { api, cluster, state } = this.deps;
    const heartbeat = {
      ...this.deps.report(),
      uid: state.identity.uid,
      session: this.currentSession,
    };
    const result = await api.refresh(cluster, id, heartbeat, signal);
    switch (result.kind) {
      case 'refreshed':
        this.adoptInterval(result.ttlMs / 3);
        if (result.orders !== undefined) await this.deps.onOrders(result.orders);
        this.noteVersion(result);
        this.noteDataPlane(result);
        return this.intervalMs;
      case 'unknown-node':
        this.deps.logger.warn('the managers do not know this node any more, registering again', {
          node: id,
        });
        this.registeredId = undefined;
        this.deps.onStanding({ kind: 'unregistered' });
        return 0;
      case 'refused':
        return this.refused(result);
    }
  }

  private refused(refusal: Refusal): number {
    const sentence = `this agent changes nothing: ${refusal.detail}${remedyOf(refusal.code)}`;
    if (this.refusal?.code !== refusal.code) {
      this.deps.logger.error('a manager refuses this agent', {
        reason: sentence,
        code: refusal.code,
      });
    }
    this.refusal = refusal;
    this.registeredId = undefined;
    this.deps.onStanding({ kind: 'refused', code: refusal.code, sentence });
    return REFUSED_RETRY_MS;
  }

  private noteFailure(error: unknown): void {
    const err = error instanceof Error ? error : new Error(String(error));
    if (isAppError(error, 'state-unwritable')) {
      // Registered there, and not confirmed here: the session stays a candidate, so the next try is the same one.
      this.deps.logger.error('the state directory can not be written, trying again', { err });
    } else if (error instanceof AppError) {
      this.deps.availability.failed('heartbeat', err);
    } else throw err;
  }

  private noteVersion({ version, incarnation }: { version: number; incarnation: string }): void {
    const seen = `${incarnation}.${version}`;
    if (seen === this.lastSeen) return;
    this.lastSeen = seen;
    this.deps.onNews({ version, incarnation });
  }

  private noteDataPlane({ placementVersion, registryRevision }: Refreshed): void {
    const seen = `${placementVersion}.${registryRevision}`;
    if (seen === this.lastDataPlane) return;
    this.lastDataPlane = seen;
    this.deps.onDataPlaneNews({ placementVersion });
  }

  private adoptInterval(managersMs: number): void {
    this.intervalMs = Math.min(this.deps.heartbeatIntervalMs, managersMs);
  }

  /** The session of this run. Throws before `start` has noted it. */
  get currentSession(): string {
    if (this.session !== undefined) return this.session;
    throw new AppError('internal', 'membership was used before it was started');
  }
}

/** What a person can do, where the manager's own sentence can't know it. */
function remedyOf(code: string): string {
  switch (code) {
    case 'state-not-current':
    case 'session-superseded':
      return '; the state directory was copied or restored, or runs twice: stop the other agent, or run `clusterflux agent rejoin` here';
    case 'influxd-in-use':
      return '; stop one of the two agents, or point influxdb.url at another server';
    default:
      return '';
  }
}
