// A whole cluster for tests and the demo: real influxd, agents and managers as processes of their own, over a real etcd or the
// embedded store, on free ports of loopback and in one directory. It knows the programs by their command line only.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeAtExit } from './at-exit.js';
import { builtLauncher } from './build.js';
import { ClusterManager } from './cluster-manager.js';
import { ClusterNode } from './cluster-node.js';
import { runCommand, type CommandResult } from './command.js';
import { convergence, type ConvergedOptions } from './converged.js';
import { startEtcd, type Etcd } from './etcd.js';
import { eventually } from './eventually.js';
import type { InfluxdOptions } from './influxd.js';
import { temporaryDirectory } from './temp-dir.js';
import { mergeConfig, type ConfigTable } from './toml.js';

export interface ClusterOptions {
  /** 3 where absent. */
  readonly nodes?: number;
  /** 1 where absent; several need etcd. */
  readonly managers?: number;
  /** `embedded` where absent. */
  readonly store?: 'embedded' | 'etcd';
  /** The cluster's name; `test` where absent. */
  readonly name?: string;
  /** 1 where absent. */
  readonly etcdMembers?: 1 | 3;
  /** Further flags for each of them: `--quota-backend-bytes=…`. */
  readonly etcdFlags?: readonly string[];
  /** 2 s where absent, the shortest: what is dead is soon known to be. */
  readonly etcdTtl?: string;
  /** For every influxd. */
  readonly influxd?: InfluxdOptions;
  /** Sections and keys of config.toml, for all programs. */
  readonly config?: ConfigTable;
  /** The managers that an agent is told of; all where absent. Nodes are counted from 0. */
  readonly endpoints?: (
    node: number,
    managers: readonly string[],
  ) => readonly string[] | Promise<readonly string[]>;
  /** The address that others are told of an agent which listens on `port`. Asked for at each start. */
  readonly advertise?: (node: number, port: number) => Promise<string>;
  /** The endpoints of etcd that a manager is told of; all where absent. Managers are counted from 0. */
  readonly etcdEndpoints?: (manager: number, etcd: Etcd) => Promise<readonly string[]>;
  /** Where logs and configuration files go, and stay; a temporary directory, removed by `stop`, where absent. */
  readonly dir?: string;
  /** Runs this launcher instead of a copy of the newest bundle. */
  readonly launcher?: string;
  /** True: Ctrl-C in the terminal does not reach the programs, only who started them. */
  readonly detached?: boolean;
}

export interface NodeOptions {
  readonly influxd?: InfluxdOptions;
  readonly config?: ConfigTable;
  /** False: influxd runs, and its agent does not. */
  readonly withAgent?: boolean;
  /** The managers that it is told of; as the cluster's options say where absent. */
  readonly endpoints?: readonly string[];
  /** Runs this launcher; the cluster's where absent. */
  readonly launcher?: string;
}

const CONVERGED_WITHIN_MS = 10_000;

const DEFAULT_NAME = 'test';

/** Resolves when managers, influxds and agents run and are ready. Where one is not, all are ended. */
export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const { dir } = options;
  const temporary = dir === undefined ? await temporaryDirectory('cluster') : undefined;
  const cluster = new TestCluster(options, {
    dir: dir ?? temporary?.path ?? '',
    launcher: options.launcher ?? (await builtLauncher()),
    removeDir: async () => temporary?.remove(),
  });
  try {
    await cluster.start();
    return cluster;
  } catch (error) {
    const logs = await cluster.logTails();
    await cluster.stop();
    throw new Error(`the cluster did not start\n${logs}`, { cause: error });
  }
}

interface Place {
  readonly dir: string;
  readonly launcher: string;
  removeDir(): Promise<void>;
}

export class TestCluster {
  readonly name: string;
  readonly dir: string;
  readonly managers: ClusterManager[] = [];
  readonly nodes: ClusterNode[] = [];
  private etcdServer: Etcd | undefined;

  constructor(
    private readonly options: ClusterOptions,
    private readonly place: Place,
  ) {
    this.name = options.name ?? DEFAULT_NAME;
    this.dir = place.dir;
  }

  /** Everything that goes when the cluster is stopped, also where the directory itself stays. */
  private get dataDir(): string {
    return join(this.dir, 'data');
  }

  get hasEtcd(): boolean {
    return this.etcdServer !== undefined;
  }

  /** Throws where the store is embedded. */
  get etcd(): Etcd {
    if (this.etcdServer === undefined) throw new Error('this cluster has no etcd');
    return this.etcdServer;
  }

  async start(): Promise<void> {
    const { nodes = 3, managers = 1, store = 'embedded' } = this.options;
    if (store === 'embedded' && managers > 1) throw new Error('several managers need etcd');
    removeAtExit(this.dataDir);
    await mkdir(this.dataDir, { recursive: true });
    const numbers = Array.from({ length: nodes }, (_, index) => index);
    this.nodes.push(...numbers.map((index) => this.makeNode(index, {})));
    const startManagers = async () => {
      if (store === 'etcd') {
        const { etcdMembers: members = 1, etcdFlags: flags = [] } = this.options;
        this.etcdServer = await startEtcd({ members, flags });
      }
      await allDone(Array.from({ length: managers }, () => this.addManager()));
    };
    await allDone([startManagers(), ...this.nodes.map((node) => node.startInfluxd())]);
    await allDone(this.nodes.map((node) => node.startAgent()));
  }

  /** One more manager, over etcd. */
  async addManager(): Promise<ClusterManager> {
    const index = this.managers.length;
    const manager = new ClusterManager({
      ...this.common(),
      index,
      config: () => this.managerConfig(index),
    });
    this.managers.push(manager);
    await manager.start();
    return manager;
  }

  /** One more node, which joins the cluster as it is now. */
  async addNode(options: NodeOptions = {}): Promise<ClusterNode> {
    const node = this.makeNode(this.nodes.length, options);
    this.nodes.push(node);
    await node.startInfluxd();
    if (options.withAgent !== false) await node.startAgent();
    return node;
  }

  /**
   * Waits until all nodes and the cluster's newest snapshot have the same schema, and all agents say that they are in step
   * with its version. Rejects with the differences. Nodes whose influxd or agent does not run fail it, unless left out.
   */
  async converged(options: ConvergedOptions = {}): Promise<void> {
    await eventually(() => convergence(this, options), {
      withinMs: options.withinMs ?? CONVERGED_WITHIN_MS,
      everyMs: 50,
      what: `the cluster ${this.name} to converge`,
    });
  }

  /** Runs `clusterflux …` against the first manager, for this cluster. */
  cli(...args: string[]): Promise<CommandResult> {
    const manager = this.managers[0]?.url;
    const env = { CLUSTERFLUX_AGENT_CLUSTER: this.name };
    return this.run([...(manager === undefined ? [] : ['--manager', manager]), ...args], env);
  }

  /** Runs `clusterflux …` as somebody who knows nothing of this cluster. */
  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CommandResult> {
    return runCommand(args, { launcher: this.place.launcher, cwd: this.dir, env });
  }

  /** The ends of all logs, for a failure's message. */
  async logTails(): Promise<string> {
    const programs = [...this.managers, ...this.nodes.map(({ agent }) => agent)];
    const tails = await Promise.all(
      programs.map(async (program) => `--- ${program.name}\n${await program.logTail()}`),
    );
    return tails.join('\n');
  }

  /** Ends everything at once and removes its data. */
  async stop(): Promise<void> {
    await Promise.all([
      ...this.nodes.map((node) => node.end()),
      ...this.managers.map((manager) => manager.kill9()),
    ]);
    await this.etcdServer?.stop();
    await rm(this.dataDir, { recursive: true, force: true, maxRetries: 3 });
    await this.place.removeDir();
  }

  private makeNode(index: number, options: NodeOptions): ClusterNode {
    const { influxd, endpoints, advertise } = this.options;
    const urls = () => this.managers.map(({ url }) => url);
    return new ClusterNode({
      ...this.common(),
      ...(options.launcher === undefined ? {} : { launcher: options.launcher }),
      index,
      cluster: this.name,
      influxd: {
        ...influxd,
        ...options.influxd,
        config: mergeConfig(influxd?.config, options.influxd?.config),
      },
      config: async () => this.config(options.config),
      endpoints: async () => options.endpoints ?? endpoints?.(index, urls()) ?? urls(),
      advertise: advertise && ((port) => advertise(index, port)),
    });
  }

  private async managerConfig(index: number): Promise<ConfigTable> {
    const { store = 'embedded', etcdEndpoints } = this.options;
    if (store === 'embedded') return this.config();
    const endpoints = (await etcdEndpoints?.(index, this.etcd)) ?? this.etcd.endpoints;
    return this.config({ etcd: { endpoints }, manager: { store } });
  }

  private common() {
    const { detached = false } = this.options;
    return { dir: this.dir, dataDir: this.dataDir, launcher: this.place.launcher, detached };
  }

  private config(more: ConfigTable = {}): ConfigTable {
    const defaults: ConfigTable = {
      etcd: { ttl: this.options.etcdTtl ?? '2s' },
      // Nobody balances load here, so nobody needs time to notice that a manager leaves.
      manager: { 'drain-delay': '0s' },
      log: { level: 'debug', format: 'text' },
    };
    return mergeConfig(defaults, this.options.config, more);
  }
}

/** Waits for all, also where one fails: what is still being started could not be ended. */
async function allDone(works: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(works)) {
    if (result.status === 'rejected') throw result.reason;
  }
}
