// One node of a cluster in memory: the real reconciler over a fake influxd, a fake manager and a base that survives crashes.
// `crashAfter` kills the agent between any two of its steps, before or after a step took effect.
import { createFakeManager } from '../../agent/manager-api/fake-manager-api.js';
import type { FakeLink, FakeManager } from '../../agent/manager-api/fake-manager-api.js';
import { FakeInflux } from '../../agent/influxd/fake-influx.js';
import type { FakeInfluxOptions } from '../../agent/influxd/fake-influx.js';
import type { InfluxControl } from '../../agent/influxd/port.js';
import type { BaseRecord } from '../../agent/sync/base.js';
import type { BaseStore } from '../../agent/sync/base-store.js';
import { MemoryBaseStore } from '../../agent/sync/base-store.js';
import type { SyncEvent, TickMode, TickReport } from '../../agent/sync/port.js';
import { LIVE_MODE } from '../../agent/sync/port.js';
import { SyncReconciler } from '../../agent/sync/reconciler.js';
import type { ReconcilerDeps } from '../../agent/sync/reconciler.js';
import { RemoteView } from '../../agent/sync/remote-view.js';
import type { ApprovalOrder } from '../../shared/api/orders.js';
import type { ManagerApi, WriteRequest } from '../../agent/manager-api/port.js';
import { silentLogger } from '../../shared/log/logger.js';
import type { ObjectKey, SchemaObject } from '../../shared/meta/model.js';
import { encodeValue } from '../../shared/meta/model.js';
import { readSchema } from '../../shared/meta/snapshot.js';

export const CLUSTER = 'sim';

/** The agent died here. */
export class Crash extends Error {
  override readonly name = 'AbortError'; // as a real death: nobody handles it, no report is made of it
}

export interface SimulatedCluster {
  readonly manager: FakeManager;
  readonly nodes: readonly SimulatedNode[];
  /** Own time of all agents, in ms. */
  nowMs: number;
  /** Ticks all nodes in turn until nobody has anything to do; throws where that does not come. */
  settle(): Promise<void>;
}

export type Settings = Partial<ReconcilerDeps['settings']>;

export function simulate(
  count: number,
  options: {
    readonly influx?: FakeInfluxOptions;
    readonly settings?: Settings;
    /** The manager's time of a version, RFC 3339. */
    readonly timeOf?: (version: number) => string;
  } = {},
): SimulatedCluster {
  const manager = createFakeManager(options.timeOf ? { timeOf: options.timeOf } : {});
  const cluster = { manager, nowMs: Date.UTC(2026, 0, 1) } as {
    manager: FakeManager;
    nodes: SimulatedNode[];
    nowMs: number;
    settle(): Promise<void>;
  };
  cluster.nodes = Array.from(
    { length: count },
    (_, index) => new SimulatedNode(index + 1, cluster, options),
  );
  cluster.settle = () => settle(cluster);
  return cluster;
}

/** More rounds than any honest convergence needs: two creations that met take three. */
const MAX_ROUNDS = 30;

async function settle(cluster: SimulatedCluster): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    let isQuiet = true;
    for (const node of cluster.nodes) {
      cluster.nowMs += 120_000; // past the minute for which drops of twins are held, and every pause after a refusal
      const report = await node.tick();
      if (report.outcome !== 'no-action') isQuiet = false;
    }
    if (isQuiet) return;
  }
  const sentences = cluster.nodes.map(({ reconciler }) => reconciler.lastReport?.sentence);
  throw new Error(`the nodes do not come to rest: ${sentences.join(' | ')}`);
}

/** Told of the agent's steps right after they took effect. */
export interface StepObserver {
  looked(): void;
  appended(records: readonly BaseRecord[]): void;
  executed(statement: string): void;
  written(version: number): void;
}

export class SimulatedNode {
  observer: StepObserver | undefined;
  readonly influx: FakeInflux;
  readonly api: FakeLink;
  store = new MemoryBaseStore();
  remoteView!: RemoteView;
  reconciler!: SyncReconciler;
  /** What a person decided, as the managers would bring it. */
  approval: ApprovalOrder | undefined;
  readonly events: SyncEvent[] = [];
  /** What the agent was told of the texts behind the cluster's hashes: by user and hash, joined by a blank. */
  readonly passwords = new Map<string, string>();
  /** Called before each of the agent's steps, by the name of the port's method: users act here in the middle of a tick. */
  beforeStep: ((name: string) => void) | undefined;
  private stepsLeft = Number.POSITIVE_INFINITY;
  private takesEffect = false;

  constructor(
    readonly id: number,
    private readonly cluster: { readonly manager: FakeManager; nowMs: number },
    private readonly options: { readonly influx?: FakeInfluxOptions; readonly settings?: Settings },
  ) {
    this.influx = new FakeInflux(options.influx);
    this.api = cluster.manager.api();
    this.startAgent();
  }

  /** A new agent process over what the old one left on disk. */
  startAgent(settings: Settings = {}): void {
    this.stepsLeft = Number.POSITIVE_INFINITY;
    const api = this.dying<ManagerApi>(this.api, ['write', 'writeOutcome', 'read', 'marks']);
    this.remoteView = new RemoteView(api, CLUSTER, () => this.store.state.tag);
    this.reconciler = new SyncReconciler({
      cluster: CLUSTER,
      store: this.dyingStore(),
      api,
      remoteView: this.remoteView,
      control: this.dying<InfluxControl>(this.influx, ['execute', 'readMemory', 'loadedShards']),
      nodeId: () => this.id,
      logger: silentLogger(),
      nowMs: () => this.cluster.nowMs,
      approval: () => this.approval,
      onEvent: (event) => this.events.push(event),
      passwordOf: (user, hash) => this.passwords.get(`${user} ${hash}`),
      settings: {
        join: 'merge',
        isShared: () => true,
        ownUser: undefined,
        maxDrops: Number.POSITIVE_INFINITY, // the guard has tests of its own
        ...this.options.settings,
        ...settings,
      },
    });
  }

  /** A state directory that was lost. */
  loseState(): void {
    this.store = new MemoryBaseStore();
    this.startAgent();
  }

  /** Asks for the newest version, and ticks. */
  async tick(mode: Partial<TickMode> = {}): Promise<TickReport> {
    const signal = new AbortController().signal;
    try {
      await this.remoteView.refresh(signal);
    } catch (error) {
      if (error instanceof Crash) throw error;
      // unreachable: the tick says so
    }
    return this.reconciler.tick({ ...LIVE_MODE, ...mode }, signal);
  }

  /** The agent dies at its n-th step from now, having done it (`takesEffect`) or not; then a new one is started. */
  async tickAndDie(n: number, takesEffect: boolean): Promise<void> {
    this.stepsLeft = n;
    this.takesEffect = takesEffect;
    try {
      await this.tick();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
    }
    this.startAgent();
  }

  /** Does `action` once, right before the agent's next step of that name. */
  once(name: string, action: () => void): void {
    this.beforeStep = (step) => {
      if (step !== name) return;
      this.beforeStep = undefined;
      action();
    };
  }

  /** A user's statement, straight to influxd; its refusal is thrown. */
  user(statement: string): void {
    const result = this.influx.run(statement);
    if (result.kind === 'refused') throw new Error(`${statement}: ${result.text}`);
  }

  /** A user's statement that may be refused. */
  tryUser(statement: string): boolean {
    return this.influx.run(statement).kind === 'done';
  }

  get schema(): Map<ObjectKey, SchemaObject> {
    return readSchema(this.influx.data);
  }

  /** The schema as text lines, for comparisons that read well when they fail. */
  get lines(): string[] {
    return schemaLines(this.schema);
  }

  private dyingStore(): BaseStore {
    const store = this.store;
    const append = (records: readonly BaseRecord[]) =>
      this.step('append', async () => {
        await store.append(records);
        this.observer?.appended(records);
      });
    return {
      get state() {
        return store.state;
      },
      append,
    };
  }

  /** The same object, whose named methods count as steps. */
  private dying<T extends object>(target: T, methods: readonly (keyof T)[]): T {
    return new Proxy(target, {
      get: (_, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const call = value.bind(target) as (...args: unknown[]) => Promise<unknown>;
        if (!methods.includes(name as keyof T)) return call;
        return (...args: unknown[]) =>
          this.step(String(name), async () => {
            const result = await call(...args).finally(() => this.observe(String(name), args));
            return result;
          });
      },
    });
  }

  /** Also after a lost reply: what counts is the effect. */
  private observe(name: string, args: readonly unknown[]): void {
    if (name === 'readMemory' && this.influx.isRunning) this.observer?.looked();
    if (name === 'execute') this.observer?.executed(args[0] as string);
    const newest = this.cluster.manager.newest(CLUSTER);
    const request = args[1] as WriteRequest;
    if (name === 'write' && newest?.idempotencyKey === request.idempotencyKey) {
      this.observer?.written(newest.tag.version);
    }
  }

  private async step<R>(name: string, action: () => Promise<R>): Promise<R> {
    this.beforeStep?.(name);
    this.stepsLeft -= 1;
    if (this.stepsLeft > 0) return action();
    if (this.takesEffect) await action();
    throw new Crash('the agent died');
  }
}

export function schemaLines(schema: ReadonlyMap<ObjectKey, SchemaObject>): string[] {
  return [...schema].map(([key, { value }]) => `${key} ${encodeValue(value)}`).sort();
}
