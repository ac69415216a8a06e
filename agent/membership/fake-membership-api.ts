// An in-memory registry behind the membership port, for tests: ids by uid, sessions as the managers judge them, faults.
import type { Orders } from '../../shared/api/orders.js';
import { NO_ORDERS } from '../../shared/api/orders.js';
import { AppError } from '../../shared/errors/app-error.js';
import type {
  Heartbeat,
  MembershipApi,
  Refusal,
  Registration,
} from '../manager-api/membership-port.js';

interface FakeNode {
  readonly id: number;
  session: string;
  isListed: boolean;
  registration: Registration;
  heartbeat: Heartbeat | undefined;
}

export interface FakeRegistry extends MembershipApi {
  /** By uid, deregistered ones included. */
  readonly nodes: ReadonlyMap<string, FakeNode>;
  /** Calls in order, e.g. `register`, `refresh`. */
  readonly calls: readonly string[];
  /** The cluster's newest version, told with every answer. */
  version: number;
  ttlMs: number;
  heartbeatIntervalMs: number;
  /** False: every call throws `manager-unreachable`. */
  isAvailable: boolean;
  /** The next registration takes effect, and its answer is lost. */
  isNextAnswerLost: boolean;
  /** What every call is refused with, where set. */
  refusal: Refusal | undefined;
  /** What people ordered of every node. */
  orders: Orders;
  /** The store lost everything but the ids. */
  forgetNodes(): void;
  /** Another process took over this uid. */
  supersede(uid: string): void;
}

export function createFakeRegistry(): FakeRegistry {
  return new InMemoryRegistry();
}

class InMemoryRegistry implements FakeRegistry {
  readonly nodes = new Map<string, FakeNode>();
  readonly calls: string[] = [];
  version = 0;
  ttlMs = 15_000;
  heartbeatIntervalMs = 5_000;
  isAvailable = true;
  isNextAnswerLost = false;
  refusal: Refusal | undefined;
  orders = NO_ORDERS;

  async register(cluster: string, registration: Registration, signal?: AbortSignal) {
    this.enter('register', signal);
    if (this.refusal) return this.refusal;
    const { uid, session, previousSession, candidates } = registration;
    const known = this.nodes.get(uid);
    const isCurrent = [previousSession, ...candidates].includes(known?.session);
    if (known?.isListed === true && !isCurrent) return notCurrent();
    const node = known ?? newNode(this.nodes.size + 1, registration);
    Object.assign(node, { session, isListed: true, registration });
    this.nodes.set(uid, node);
    if (this.isNextAnswerLost) {
      this.isNextAnswerLost = false;
      throw unreachable();
    }
    const { ttlMs, heartbeatIntervalMs, version } = this;
    const incarnation = version === 0 ? '' : cluster;
    return {
      kind: 'registered' as const,
      id: node.id,
      ttlMs,
      heartbeatIntervalMs,
      version,
      incarnation,
      orders: this.orders,
    };
  }

  async refresh(cluster: string, nodeId: number, heartbeat: Heartbeat, signal?: AbortSignal) {
    this.enter('refresh', signal);
    if (this.refusal) return this.refusal;
    const node = this.nodes.get(heartbeat.uid);
    if (node?.isListed !== true || node.id !== nodeId) return { kind: 'unknown-node' as const };
    if (node.session !== heartbeat.session) return superseded();
    node.heartbeat = heartbeat;
    const incarnation = this.version === 0 ? '' : cluster;
    return {
      kind: 'refreshed' as const,
      ttlMs: this.ttlMs,
      version: this.version,
      incarnation,
      orders: this.orders,
      placementVersion: 0,
      registryRevision: this.nodes.size,
    };
  }

  async deregister(_cluster: string, nodeId: number, signal?: AbortSignal) {
    this.enter('deregister', signal);
    if (this.refusal) return this.refusal;
    for (const node of this.nodes.values()) if (node.id === nodeId) node.isListed = false;
    return { kind: 'done' as const };
  }

  forgetNodes(): void {
    for (const node of this.nodes.values()) node.isListed = false;
  }

  supersede(uid: string): void {
    const node = this.nodes.get(uid);
    if (node) node.session = 'of another process';
  }

  private enter(call: string, signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) throw new AppError('aborted', 'the caller gave up');
    this.calls.push(call);
    if (!this.isAvailable) throw unreachable();
  }
}

function newNode(id: number, registration: Registration): FakeNode {
  const { session } = registration;
  return { id, session, isListed: true, registration, heartbeat: undefined };
}

function unreachable(): AppError {
  return new AppError('manager-unreachable', 'calling the manager: nothing answers (fake)');
}

function notCurrent(): Refusal {
  const detail = 'the record holds another session';
  return { kind: 'refused', code: 'state-not-current', detail };
}

function superseded(): Refusal {
  const detail = 'another process registered with this uid';
  return { kind: 'refused', code: 'session-superseded', detail };
}
