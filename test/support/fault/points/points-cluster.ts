// A cluster with clients on all of its gateways: `during` runs a fault under their load, heals, waits until all is at rest, and
// lets the judge compare what was acknowledged with what every influxd has.
import { builtLauncher } from '../../build.js';
import type { ClusterOptions, TestCluster } from '../../cluster.js';
import { startCluster } from '../../cluster.js';
import { eventually } from '../../eventually.js';
import { startTcpProxy, type TcpProxy } from '../../tcp-proxy.js';
import { mergeConfig } from '../../toml.js';
import { notePointFigure } from '../figures.js';
import { seededRandom, type Random } from '../random.js';
import { storedPoints, unrest } from './owner-points.js';
import { judgePoints } from './point-judge.js';
import { PointLoad } from './point-load.js';

export interface PointsClusterOptions extends ClusterOptions {
  readonly seed: number;
  /** A proxy before each agent's peer port. Then the address of an agent that is dead does not refuse connections, as behind a balancer. */
  readonly hasPeerLines?: boolean;
}

export interface PointsDuringOptions {
  /** Names the fault in the figures. */
  readonly fault: string;
  /** Batches that are acknowledged before the fault begins, and again after it is over. */
  readonly batches?: number;
  /** Every node must answer reads itself so many ms after the fault is over, and all be at rest so many after the load has ended. */
  readonly withinMs?: number;
}

const BATCHES = 15;
const AT_REST_WITHIN_MS = 45_000;
/** Complaints of one failure: they mostly have one reason. */
const SHOWN = 12;
const HOUR_S = 3_600;

const PATIENT = {
  agent: { 'ready-timeout': '10s' },
  // Every node owns everything, from the first group on.
  placement: { 'initial-nodes': 3 },
};

/** 3 nodes, one manager and one etcd, where the options do not say otherwise. */
export async function startPointsCluster(options: PointsClusterOptions): Promise<PointsCluster> {
  const { seed, hasPeerLines = false, ...rest } = options;
  const lines: TcpProxy[] = [];
  const advertise = async (node: number, port: number) => {
    const { port: advertised } = (lines[node] ??= await startTcpProxy(port));
    return `127.0.0.1:${advertised}`;
  };
  const cluster = await startCluster({
    store: 'etcd',
    launcher: await builtLauncher('failpoints'),
    ...rest,
    config: mergeConfig(PATIENT, rest.config),
    ...(hasPeerLines ? { advertise } : {}),
  });
  return new PointsCluster(cluster, lines, seededRandom(seed));
}

export class PointsCluster {
  private runs = 0;

  constructor(
    readonly cluster: TestCluster,
    /** Through which all others speak to the agent of a node, in the order of the nodes; empty where that was not asked for. */
    readonly peerLines: readonly TcpProxy[],
    readonly random: Random,
  ) {}

  /**
   * Runs `fault` under load, on a database of its own: it happens and is over when the function returns (what it stopped runs
   * again). Then everything must come to rest with every acknowledged point on every influxd, and no read may have missed one.
   * Rejects with all complaints and the ends of the logs; resolves to the load, which has ended.
   */
  async during(
    fault: (load: PointLoad) => Promise<void>,
    options: PointsDuringOptions,
  ): Promise<PointLoad> {
    const load = await this.prepare();
    const { batches = BATCHES, withinMs = AT_REST_WITHIN_MS } = options;
    let healedMs = 0;
    load.start();
    try {
      await load.untilMore(batches);
      await fault(load);
      const began = performance.now();
      await load.untilHome(withinMs);
      healedMs = Math.round(performance.now() - began);
      await load.untilMore(batches);
    } catch (error) {
      throw new Error(await this.story(options.fault, [String(error), ...load.surprises]), {
        cause: error,
      });
    } finally {
      await load.stop();
    }
    const restless = await this.untilAtRest(load, withinMs);
    const complaints = [...restless, ...(await this.check(load))];
    noteFigures(options.fault, load, { healedMs, complaints: complaints.length });
    if (complaints.length > 0) throw new Error(await this.story(options.fault, complaints));
    return load;
  }

  /** Everything that is wrong: what was answered, what was read, what is there. */
  async check(load: PointLoad): Promise<readonly string[]> {
    const { database, policies } = load.options;
    const owners = await Promise.all(
      this.cluster.nodes.map(async ({ name, influxd }) => ({
        name,
        points: await storedPoints(influxd, database, policies),
      })),
    );
    return [
      ...load.surprises,
      ...load.records.flatMap(({ misses }) => misses.map((miss) => `missed: ${miss}`)),
      ...judgePoints(load.ledger.entries, owners),
    ];
  }

  async stop(): Promise<void> {
    await Promise.all(this.peerLines.map((line) => line.stop()));
    await this.cluster.stop();
  }

  /** A database with two policies whose shard groups are an hour long, so that a load makes some. */
  private async prepare(): Promise<PointLoad> {
    this.runs += 1;
    const { nodes } = this.cluster;
    const database = `points ${this.runs}`;
    const policies = ['long', 'other'];
    const brief = 'DURATION INF REPLICATION 1 SHARD DURATION 1h';
    await execute(nodes[0]!.gatewayUrl, `CREATE DATABASE "${database}" WITH ${brief} NAME "long"`);
    await execute(
      nodes[1]!.gatewayUrl,
      `CREATE RETENTION POLICY "other" ON "${database}" ${brief}`,
    );
    const startS = Math.floor(Date.now() / 1_000 / HOUR_S) * HOUR_S - 12 * HOUR_S;
    const random = this.random.fork(database);
    return new PointLoad(nodes, random, { database, policies, startS });
  }

  private async untilAtRest(load: PointLoad, withinMs: number): Promise<readonly string[]> {
    const { database, policies } = load.options;
    let why: string | undefined;
    const look = async () => {
      why = await unrest(this.cluster, database, policies);
      return why === undefined;
    };
    return eventually(look, { withinMs, everyMs: 50 }).then(
      () => [],
      (error: unknown) => [`not at rest after ${withinMs} ms: ${why ?? String(error)}`],
    );
  }

  private async story(fault: string, complaints: readonly string[]): Promise<string> {
    const more = complaints.length - SHOWN;
    return [
      `after ${fault}:`,
      ...complaints.slice(0, SHOWN),
      ...(more > 0 ? [`and ${more} more`] : []),
      await this.cluster.logTails(),
    ].join('\n  ');
  }
}

const STATEMENT_WITHIN_MS = 15_000;

async function execute(gatewayUrl: string, q: string): Promise<void> {
  await eventually(
    async () => {
      const answer = await fetch(`${gatewayUrl}/query`, {
        method: 'POST',
        body: new URLSearchParams({ q }),
        signal: AbortSignal.timeout(STATEMENT_WITHIN_MS),
      });
      const text = await answer.text();
      if (answer.status !== 200 || text.includes('error')) {
        throw new Error(`${q}: ${answer.status} ${text}`);
      }
    },
    { withinMs: STATEMENT_WITHIN_MS, everyMs: 200 },
  );
}

function noteFigures(
  fault: string,
  { ledger, records }: PointLoad,
  { healedMs, complaints }: { readonly healedMs: number; readonly complaints: number },
): void {
  const figures = records.map((record) => record.figures);
  notePointFigure({
    ...{ fault, healedMs, complaints },
    batches: ledger.acknowledgedBatches,
    points: ledger.acknowledgedPoints,
    reads: figures.reduce((sum, { served }) => sum + served, 0),
    missed: records.reduce((sum, { misses }) => sum + misses.length, 0),
    unservedMs: Math.round(Math.min(...figures.map((each) => each.longestUnservedMs))),
  });
}
