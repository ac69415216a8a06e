// Real etcd, managers, agents and influxds with a workload on them and a line between each two that can be broken: the place
// where faults happen. `during` runs one of them, and lets the checker judge what is left.
import { startCluster, type ClusterOptions, type TestCluster } from '../cluster.js';
import { builtLauncher } from '../build.js';
import { eventually } from '../eventually.js';
import { startTcpProxy, type TcpProxy } from '../tcp-proxy.js';
import { mergeConfig } from '../toml.js';
import { collect, storeComplaints } from './evidence.js';
import type { Fault } from './faults.js';
import { noteFigure } from './figures.js';
import { judge, judgeState } from './judge.js';
import { seededRandom, type Random } from './random.js';
import { VersionLine } from './version-line.js';
import { Workload } from './workload.js';

export interface FaultClusterOptions extends Omit<ClusterOptions, 'endpoints' | 'etcdEndpoints'> {
  readonly seed: number;
}

export interface DuringOptions {
  /** Names the fault in the figures. */
  readonly fault: string;
  /** All nodes must be equal so many ms after the fault is over; healed means converged within 5 s, on an idle machine. */
  readonly withinMs?: number;
  /** Statements that are answered before the fault begins. */
  readonly before?: number;
}

const EQUAL_WITHIN_MS = 30_000;
const BEFORE = 10;

const PATIENT = {
  agent: { 'ready-timeout': '10s' },
  // Users do drop a lot here, also while agents are away; whether the guard holds is another test's question.
  guard: { 'max-drops': 1_000_000 },
};

/** 3-member etcd, 2 managers and 3 nodes, where the options do not say otherwise. */
export async function startFaultCluster(options: FaultClusterOptions): Promise<FaultCluster> {
  const { seed, ...rest } = options;
  const lines = new Lines();
  const cluster = await startCluster({
    store: 'etcd',
    etcdMembers: 3,
    managers: rest.store === 'embedded' ? 1 : 2,
    launcher: await builtLauncher('failpoints'),
    ...rest,
    config: mergeConfig(PATIENT, rest.config),
    endpoints: (node, managers) => lines.toManagers(node, managers),
    etcdEndpoints: (manager, { ports }) => lines.toEtcd(manager, ports),
  });
  const faults = new FaultCluster(cluster, lines, seededRandom(seed));
  try {
    await faults.prepare();
  } catch (error) {
    await faults.stop();
    throw error;
  }
  return faults;
}

/** A proxy for each agent and manager, and for each manager and member of etcd. */
class Lines {
  readonly agentToManager: TcpProxy[][] = [];
  readonly managerToEtcd: TcpProxy[][] = [];

  async toManagers(node: number, managers: readonly string[]): Promise<string[]> {
    const ports = managers.map((url) => Number(new URL(url).port));
    return (await extend((this.agentToManager[node] ??= []), ports)).map(urlOf);
  }

  async toEtcd(manager: number, ports: readonly number[]): Promise<string[]> {
    return (await extend((this.managerToEtcd[manager] ??= []), ports)).map(urlOf);
  }

  get all(): readonly TcpProxy[] {
    return [...this.agentToManager, ...this.managerToEtcd].flat();
  }
}

async function extend(proxies: TcpProxy[], ports: readonly number[]): Promise<TcpProxy[]> {
  for (const port of ports.slice(proxies.length)) proxies.push(await startTcpProxy(port));
  return proxies;
}

function urlOf({ port }: TcpProxy): string {
  return `http://127.0.0.1:${port}`;
}

export class FaultCluster {
  readonly workload: Workload;
  /** What has been read of the versions so far. */
  readonly line = new VersionLine();

  constructor(
    readonly cluster: TestCluster,
    private readonly lines: Lines,
    readonly random: Random,
  ) {
    this.workload = new Workload(cluster.nodes, random.fork('workload'));
  }

  /** From a node's agent (counted from 0) to each manager. */
  linesOfAgent(node: number): readonly TcpProxy[] {
    return this.lines.agentToManager[node] ?? [];
  }

  /** From a manager (counted from 0) to each member of etcd. */
  linesOfManager(manager: number): readonly TcpProxy[] {
    return this.lines.managerToEtcd[manager] ?? [];
  }

  async prepare(): Promise<void> {
    // One after the other: what is prepared on several nodes shall not be news of two joining ones.
    await this.workload.prepare();
    await this.cluster.converged({ withoutHashes: true, withinMs: EQUAL_WITHIN_MS });
    await this.check();
  }

  /**
   * Runs `fault` under load: it happens and is over when the function returns (what it stopped runs again). Then the load
   * ends, and all must become equal, with everything in it that was acknowledged and nothing that was dropped. Rejects with
   * all complaints and the ends of the logs.
   */
  async during(fault: () => Promise<void>, options: DuringOptions): Promise<void> {
    const { workload, line } = this;
    const [acknowledged, version] = [workload.acknowledged.length, line.version];
    workload.start();
    try {
      await workload.untilMore(options.before ?? BEFORE);
      await fault();
    } finally {
      await workload.stop();
    }
    const began = performance.now();
    const complaints = await this.untilEqual(options.withinMs ?? EQUAL_WITHIN_MS);
    const convergedMs = Math.round(performance.now() - began);
    const all = [...complaints, ...(await this.check())];
    noteFigure({
      fault: options.fault,
      acknowledged: workload.acknowledged.length - acknowledged,
      versions: line.version - version,
      convergedMs,
      complaints: all.length,
    });
    if (all.length > 0) throw new Error(await this.story(options.fault, all));
  }

  /** `during` one fault, so many times one after the other. */
  suffers(fault: Fault, { times = 1 }: { readonly times?: number } = {}): Promise<void> {
    return this.during(
      async () => {
        for (let round = 0; round < times; round += 1) await fault.run(this);
      },
      { fault: fault.name },
    );
  }

  /** Everything that is wrong now, in the state, in the versions and in the store. */
  async check(): Promise<readonly string[]> {
    const evidence = await collect(this.cluster, this.workload, this.line);
    return [...judge(evidence), ...(await storeComplaints(this.cluster))];
  }

  async stop(): Promise<void> {
    await this.workload.stop();
    await Promise.all(this.lines.all.map((line) => line.stop()));
    await this.cluster.stop();
  }

  /** What keeps all from being equal; empty as soon as they are. */
  private async untilEqual(withinMs: number): Promise<readonly string[]> {
    let complaints: readonly string[] = ['nothing could be read'];
    const look = async () => {
      complaints = judgeState(await collect(this.cluster, this.workload, this.line));
      return complaints.length === 0;
    };
    return eventually(look, { withinMs, everyMs: 100 }).then(
      () => [],
      (error: unknown) => (complaints.length > 0 ? complaints : [String(error)]),
    );
  }

  private async story(fault: string, complaints: readonly string[]): Promise<string> {
    const statuses = await Promise.all(
      this.cluster.nodes.map(async (node) => {
        const status = await node.status().catch((error: unknown) => String(error));
        return `${node.name}: ${JSON.stringify(status)}`;
      }),
    );
    const parts = [
      `after ${fault}:`,
      ...complaints.slice(0, SHOWN),
      ...(complaints.length > SHOWN ? [`and ${complaints.length - SHOWN} more`] : []),
      ...statuses,
      await this.cluster.logTails(),
    ];
    return parts.join('\n  ');
  }
}

/** Complaints of one failure: they mostly have one reason. */
const SHOWN = 12;
