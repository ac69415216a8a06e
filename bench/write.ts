// Writing through gateways, against the same bodies straight to influxd: one node, then three nodes at every level. The
// references take turns with what they are compared with, on servers of their own.
import { startDataCluster, startReference, type DataNode } from './support/data-cluster.js';
import { eventually } from '../test/support/eventually.js';
import { pause, type BenchOptions, type Cleanup } from './support/bench.js';
import { gaugeOf } from './support/metrics.js';
import { Points } from './support/points.js';
import { cpuMs } from './support/proc.js';
import type { Program } from './support/programs.js';
import { atLeast, type Figure, type Report } from './support/report.js';
import { median, ms, percentile } from './support/statistics.js';
import { writeAll, WriteTarget } from './support/writers.js';
import { routing } from './write-scan.js';

const POINTS_PER_BODY = 5_000;
const WRITERS = 4;
const ROUNDS = 7;
const BODIES_PER_ROUND = 30;
const THREE_NODE_BODIES = 20;
const LEVELS = ['any', 'one', 'quorum', 'all'] as const;
const DRAINS_WITHIN_MS = 120_000;
/** influxd flushes and compacts what the round before wrote. */
const REST_MS = 500;

const AIM_OF_DIRECT = 0.9;
const AIM_POINTS_PER_CPU_SECOND = 500_000;

interface Measured {
  /** Points per second of each round. */
  readonly rates: number[];
  readonly latencies: number[];
  /** The agents' processor time over all rounds, in ms. */
  cpuMs: number;
  points: number;
}

interface Contender {
  readonly name: string;
  readonly write: (body: Uint8Array) => Promise<unknown>;
  /** On the way. */
  readonly agents: readonly Program[];
  readonly measured: Measured;
}

export async function write({ scale }: BenchOptions, cleanup: Cleanup): Promise<Report> {
  const rounds = Math.max(2, Math.round(ROUNDS * scale));
  const count = (bodies: number) => Math.max(4, Math.round(bodies * scale));
  const points = new Points(POINTS_PER_BODY);
  const own = routing(scale);
  const one = await oneNode(cleanup, points, { rounds, bodies: count(BODIES_PER_ROUND) });
  const three = await threeNodes(cleanup, points, { rounds, bodies: count(THREE_NODE_BODIES) });
  return {
    figures: [
      {
        what: "gateway's own work per core (scan, hash, route, build batches)",
        measured: perSecond(own),
        aim: atLeast('≥ 500,000 points/s', own, AIM_POINTS_PER_CPU_SECOND),
      },
      ...one,
      ...three,
    ],
    notes: [
      `Bodies of ${POINTS_PER_BODY} points with 10 tags and 10 fields, ${points.bytesPerPoint} bytes per point, ${WRITERS} writers; medians of ${rounds} rounds in turn, each of other points.`,
      'All servers, agents and writers share the processors; every influxd fsyncs its log for each write, as it does by default. With three nodes each point is written three times, on the reference too; the next in turn begins once all hints are delivered, which for level any are most of the points.',
    ],
  };
}

interface Rounds {
  readonly rounds: number;
  readonly bodies: number;
}

async function oneNode(cleanup: Cleanup, points: Points, rounds: Rounds): Promise<Figure[]> {
  const reference = await startReference(cleanup);
  const { nodes } = await startDataCluster({ nodes: 1 }, cleanup);
  const [node] = nodes;
  const direct = contender('one influxd, direct', [await targetOf(reference.url, cleanup)], []);
  const gateway = contender(
    'one node, through its gateway',
    [await targetOf(node.agent.gatewayUrl, cleanup)],
    [node.agent],
  );
  await compete([direct, gateway], points, rounds);
  const ratio = ratioOf(gateway, direct);
  const aim = atLeast(`≥ ${AIM_OF_DIRECT} of direct`, ratio, AIM_OF_DIRECT);
  return [rowOf(direct), { ...rowOf(gateway, direct), aim }];
}

async function threeNodes(cleanup: Cleanup, points: Points, rounds: Rounds): Promise<Figure[]> {
  const references: WriteTarget[] = [];
  for (let i = 0; i < 3; i += 1) {
    const influxd = await startReference(cleanup);
    references.push(await targetOf(influxd.url, cleanup));
  }
  const { nodes } = await startDataCluster({ nodes: 3 }, cleanup);
  const agents = nodes.map(({ agent }) => agent);
  const direct = contender('three influxd, each body direct to all', references, []);
  const levels: Contender[] = [];
  for (const level of LEVELS) {
    const targets = await targetsOf(nodes, level, cleanup);
    levels.push(contender(`three nodes, level ${level}`, [inTurn(targets)], agents));
  }
  await compete([direct, ...levels], points, rounds);
  return [rowOf(direct), ...levels.map((each) => rowOf(each, direct))];
}

/** All write the same bodies, one after the other; the order turns with the rounds. */
async function compete(
  all: readonly Contender[],
  points: Points,
  { rounds, bodies: count }: Rounds,
): Promise<void> {
  for (let round = -1; round < rounds; round += 1) {
    const bodies = points.bodies(count);
    for (let i = 0; i < all.length; i += 1) {
      const each = all[(i + round + 1) % all.length] as Contender;
      await pause(REST_MS);
      const before = await cpuOf(each.agents);
      const { tookMs, latencies } = await writeAll(bodies, WRITERS, each.write);
      await untilDrained(each.agents);
      // The first round compiles code and makes the groups.
      if (round < 0) continue;
      const written = count * POINTS_PER_BODY;
      each.measured.rates.push((written / tookMs) * 1000);
      each.measured.latencies.push(...latencies);
      each.measured.cpuMs += (await cpuOf(each.agents)) - before;
      each.measured.points += written;
    }
  }
}

function contender(
  name: string,
  targets: readonly { write(body: Uint8Array): Promise<unknown> }[],
  agents: readonly Program[],
): Contender {
  const write = (body: Uint8Array) => Promise.all(targets.map((each) => each.write(body)));
  return { name, write, agents, measured: { rates: [], latencies: [], cpuMs: 0, points: 0 } };
}

/** Clients of a cluster spread over its gateways. */
function inTurn(targets: readonly WriteTarget[]): { write(body: Uint8Array): Promise<unknown> } {
  let next = 0;
  return { write: (body) => (targets[next++ % targets.length] as WriteTarget).write(body) };
}

function targetOf(url: string, cleanup: Cleanup, level = ''): Promise<WriteTarget> {
  const target = new WriteTarget(url, WRITERS, level);
  return cleanup.keep(Promise.resolve(target), (each) => each.close());
}

function targetsOf(
  nodes: readonly DataNode[],
  level: string,
  cleanup: Cleanup,
): Promise<WriteTarget[]> {
  return Promise.all(nodes.map(({ agent }) => targetOf(agent.gatewayUrl, cleanup, level)));
}

/** At level any the answer does not wait for owners: what they did not take in time comes to them as hints. */
async function untilDrained(agents: readonly Program[]): Promise<void> {
  for (const agent of agents) {
    await eventually(async () => (await gaugeOf(agent, 'clusterflux_handoff_records')) === 0, {
      withinMs: DRAINS_WITHIN_MS,
      everyMs: 100,
      what: 'hints are delivered',
    });
  }
}

async function cpuOf(agents: readonly Program[]): Promise<number> {
  const all = await Promise.all(agents.map(({ pid }) => cpuMs(pid)));
  return all.reduce((sum, each) => sum + each, 0);
}

function ratioOf({ measured }: Contender, reference: Contender): number {
  return median(measured.rates) / median(reference.measured.rates);
}

function rowOf(each: Contender, reference?: Contender): Figure {
  const { name, measured, agents } = each;
  const parts = [perSecond(median(measured.rates))];
  if (reference !== undefined) parts.push(`${ratioOf(each, reference).toFixed(2)} of direct`);
  parts.push(
    `p50 ${ms(median(measured.latencies))}, p99 ${ms(percentile(measured.latencies, 0.99))}`,
  );
  if (agents.length > 0) {
    const perPoint = (measured.cpuMs / measured.points) * 1000;
    parts.push(`${perPoint.toFixed(1)} µs of processor per point in the agents`);
  }
  return { what: name, measured: parts.join('; ') };
}

function perSecond(points: number): string {
  return `${Math.round(points).toLocaleString('en')} points/s`;
}
