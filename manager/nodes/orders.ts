// What people order nodes to do: pause, resume, decide what is held. One record per cluster, changed by compare-and-swap and
// watched, so that a heartbeat learns of it without a read. Whether and how a node obeys is the agent's matter.
import type {
  ApprovalOrder,
  HeldList,
  Orders as OrdersBody,
  PauseOrder,
} from '../../shared/api/orders.js';
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import { createBackoff, sleep } from '../../shared/lifecycle/backoff.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { ClusterView } from '../metadata/cluster-views.js';
import type { Comparison, Entry, Store } from '../store/port.js';
import { decodeRecord, encodeRecord } from '../store/records.js';
import {
  heldRecord,
  NO_NODE_ORDERS,
  NO_ORDERS_RECORD,
  ordersRecord,
  type NodeOrders,
  type OrdersRecord,
} from './orders-record.js';
import { nodeNotFound } from './registrar.js';

/** How long an order may fight for its record or look for an unknown outcome. */
const ORDER_DEADLINE_MS = 5_000;

/** Who orders it, and why. */
export interface Order {
  readonly by: string;
  readonly reason: string;
}

export interface Ordered {
  /** False where it stood so already. */
  readonly isChanged: boolean;
  readonly record: OrdersRecord;
}

export type Approval =
  | { readonly kind: 'ordered'; readonly isChanged: boolean; readonly held: HeldList }
  /** The node's list is another by now; null: it holds nothing. */
  | { readonly kind: 'other-list'; readonly held: HeldList | null };

interface Change {
  /** What must still hold, looked at before each try; undefined: it does not hold any more. */
  readonly comparisons: (signal: AbortSignal) => Promise<readonly Comparison[] | undefined>;
  /** undefined: it stands so already. */
  readonly next: (record: OrdersRecord) => OrdersRecord | undefined;
  readonly isDry: boolean;
}

export class Orders {
  constructor(private readonly deps: { readonly store: Store; readonly clock: Clock }) {}

  /** What is in force for a node, as the watch told last: no read. */
  async of(view: ClusterView, id: number): Promise<OrdersBody> {
    return ordersFor((await view.orders.recent()) ?? NO_ORDERS_RECORD, id);
  }

  /** Pauses or resumes one node. Throws AppError `node-not-found`, `store-unavailable`. */
  async setNodePause(
    view: ClusterView,
    id: number,
    order: Order | undefined,
    { isDry, signal }: { readonly isDry: boolean; readonly signal: AbortSignal },
  ): Promise<Ordered> {
    const paused = order === undefined ? undefined : this.stamped(order);
    const next = (record: OrdersRecord): OrdersRecord | undefined => {
      const before = nodeOrders(record, id);
      // The first order stands: who paused it, and since when.
      if ((before.paused === undefined) === (paused === undefined)) return undefined;
      return withNode(record, id, { ...before, paused });
    };
    const comparisons = async (alive: AbortSignal): Promise<readonly Comparison[]> => {
      await this.assertNode(view, id, alive);
      return [{ key: view.keys.node(id), is: 'present' }];
    };
    return definite(await this.change(view, { comparisons, next, isDry }, signal));
  }

  /** Pauses or resumes the cluster; nodes that are paused by themselves stay so. */
  async setClusterPause(
    view: ClusterView,
    order: Order | undefined,
    { isDry, signal }: { readonly isDry: boolean; readonly signal: AbortSignal },
  ): Promise<Ordered> {
    const cluster = order === undefined ? null : this.stamped(order);
    const next = (record: OrdersRecord): OrdersRecord | undefined =>
      (record.cluster === null) === (cluster === null) ? undefined : { ...record, cluster };
    return definite(await this.change(view, { comparisons: nothing, next, isDry }, signal));
  }

  /**
   * Decides the held list that the digest names; another list than the node's newest is not touched. Throws AppError
   * `node-not-found`, `store-unavailable`.
   */
  async approve(
    view: ClusterView,
    id: number,
    approval: ApprovalOrder,
    { isDry, signal }: { readonly isDry: boolean; readonly signal: AbortSignal },
  ): Promise<Approval> {
    await this.assertNode(view, id, signal);
    let held: HeldList | null = null;
    const comparisons = async (alive: AbortSignal): Promise<readonly Comparison[] | undefined> => {
      const key = view.keys.heldOf(id);
      const entry = await this.deps.store.get(key, { signal: alive });
      held = entry === undefined ? null : decodeRecord(entry, heldRecord);
      if (entry === undefined || held?.digest !== approval.digest) return undefined;
      return [{ key, is: 'at', modRevision: entry.modRevision }];
    };
    const next = (record: OrdersRecord): OrdersRecord | undefined => {
      const before = nodeOrders(record, id);
      const isSame =
        before.approval?.digest === approval.digest &&
        before.approval.decision === approval.decision;
      return isSame ? undefined : withNode(record, id, { ...before, approval });
    };
    const ordered = await this.change(view, { comparisons, next, isDry }, signal);
    // Assigned within the closure, which the compiler does not see.
    const list = held as HeldList | null;
    if (ordered === undefined || list === null) return { kind: 'other-list', held: list };
    return { kind: 'ordered', isChanged: ordered.isChanged, held: list };
  }

  /** The node reports this list (undefined: nothing is held): an approval of another one is over. No read where there is none. */
  async settle(
    view: ClusterView,
    id: number,
    digest: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const known = await view.orders.recent();
    const isOver = ({ approval }: NodeOrders): boolean =>
      approval !== undefined && approval.digest !== digest;
    if (known === undefined || !isOver(nodeOrders(known, id))) return;
    const next = (record: OrdersRecord): OrdersRecord | undefined => {
      const before = nodeOrders(record, id);
      return isOver(before) ? withNode(record, id, { ...before, approval: undefined }) : undefined;
    };
    await this.change(view, { comparisons: nothing, next, isDry: false }, signal);
  }

  /** By compare-and-swap, until the outcome is definite. undefined: what must hold does not. */
  private async change(
    view: ClusterView,
    change: Change,
    stop: AbortSignal,
  ): Promise<Ordered | undefined> {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(ORDER_DEADLINE_MS)]);
    const backoff = createBackoff({ initialMs: 10 });
    const key = view.keys.orders;
    let isUnknown = false;
    for (;;) {
      const comparisons = await change.comparisons(signal);
      if (comparisons === undefined) return undefined;
      const entry = await this.deps.store.get(key, { signal });
      const record = entry === undefined ? NO_ORDERS_RECORD : decodeRecord(entry, ordersRecord);
      const next = change.next(record);
      // Unknown before, and now it stands so: it was ours.
      if (next === undefined) return { isChanged: isUnknown, record };
      if (change.isDry) return { isChanged: true, record: next };
      const value = encodeRecord(next);
      try {
        const { kind, revision } = await this.deps.store.transact(
          [unchanged(key, entry), ...comparisons],
          [{ put: key, value }],
          signal,
        );
        if (kind === 'committed') {
          const put = { key, value, createRevision: entry?.createRevision ?? revision };
          view.orders.accept({ ...put, modRevision: revision, leaseId: undefined }, next);
          return { isChanged: true, record: next };
        }
      } catch (error) {
        if (!isAppError(error, 'outcome-unknown')) throw error;
        isUnknown = true;
      }
      await sleep(backoff.nextDelayMs(), signal).catch((cause: unknown) => {
        throw gaveUp(view.name, cause);
      });
    }
  }

  private async assertNode(view: ClusterView, id: number, signal: AbortSignal): Promise<void> {
    const node = await this.deps.store.get(view.keys.node(id), { signal });
    if (node === undefined) throw nodeNotFound(view.name, id);
  }

  private stamped({ by, reason }: Order): { by: string; at: string; reason: string } {
    return { by, at: new Date(this.deps.clock.nowMs()).toISOString(), reason };
  }
}

/** What is in force for a node: the cluster's pause before its own. */
export function ordersFor(record: OrdersRecord, id: number): OrdersBody {
  const { paused, approval } = nodeOrders(record, id);
  return { paused: pauseOf(record, paused), approval: approval ?? null };
}

/** Where nothing but the orders themselves is compared. */
const nothing = (): Promise<readonly Comparison[]> => Promise.resolve([]);

function definite(ordered: Ordered | undefined): Ordered {
  return ordered ?? { isChanged: false, record: NO_ORDERS_RECORD };
}

function pauseOf({ cluster }: OrdersRecord, node: NodeOrders['paused']): PauseOrder | null {
  if (cluster !== null) return { scope: 'cluster', ...cluster };
  return node === undefined ? null : { scope: 'node', ...node };
}

function nodeOrders(record: OrdersRecord, id: number): NodeOrders {
  return record.nodes[id] ?? NO_NODE_ORDERS;
}

/** A node without orders has no entry. */
function withNode(record: OrdersRecord, id: number, orders: NodeOrders): OrdersRecord {
  const others = Object.entries(record.nodes).filter(([other]) => other !== String(id));
  const isEmpty = orders.paused === undefined && orders.approval === undefined;
  const own: [string, NodeOrders][] = isEmpty ? [] : [[String(id), orders]];
  return { ...record, nodes: Object.fromEntries([...others, ...own]) };
}

function unchanged(key: string, entry: Entry | undefined): Comparison {
  return entry === undefined
    ? { key, is: 'absent' }
    : { key, is: 'at', modRevision: entry.modRevision };
}

function gaveUp(cluster: string, cause: unknown): AppError {
  return new AppError(
    'store-unavailable',
    `the order in cluster ${JSON.stringify(cluster)} was not taken in time, because others change orders all the time; try again`,
    { status: 503, retryable: true, cause },
  );
}
