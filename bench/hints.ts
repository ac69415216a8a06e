// Hinted handoff: how fast hints become durable, how fast they reach an owner that is back, and what clients that write
// meanwhile notice. References: plain fsynced appends, and the same bodies straight to an influxd.
import { eventually } from '../test/support/eventually.js';
import { hintAppends } from './hint-appends.js';
import type { BenchOptions, Cleanup } from './support/bench.js';
import { startDataCluster, startReference, type DataNode } from './support/data-cluster.js';
import { gaugeOf } from './support/metrics.js';
import { Points } from './support/points.js';
import { atLeast, type Report } from './support/report.js';
import { median, ms, percentile } from './support/statistics.js';
import { writeAll, WriteTarget, type Written } from './support/writers.js';

const POINTS_PER_BODY = 5_000;
const HINTED_BODIES = 300;
const FOREGROUND_BODIES = 60;
const REFERENCE_BODIES = 60;
/** Hints go one request at a time, so the reference does too. */
const ONE_WRITER = 1;
const WRITERS = 2;
const AIM_OF_DIRECT = 0.8;
const DRAINS_WITHIN_MS = 300_000;
/** While the owner is away nothing is tried often, so that no attempt is lost between two measurements. */
const ENV = { CLUSTERFLUX_HANDOFF_RETRY_MAX_INTERVAL: '1s' };

export async function hints(options: BenchOptions, cleanup: Cleanup): Promise<Report> {
  const appends = await hintAppends(options, cleanup);
  const count = (bodies: number) => Math.max(10, Math.round(bodies * options.scale));
  const points = new Points(POINTS_PER_BODY);
  const reference = await startReference(cleanup);
  const direct = await targetOf(reference.url, cleanup);
  const { nodes } = await startDataCluster({ nodes: 2, env: ENV }, cleanup);
  const [here, away] = nodes as readonly [DataNode, DataNode];
  const gateway = await targetOf(here.agent.gatewayUrl, cleanup);
  const write = (body: Uint8Array) => gateway.write(body);

  const before = await writeAll(points.bodies(count(FOREGROUND_BODIES)), WRITERS, write);
  await away.influxd.kill9();
  const hinted = await writeAll(points.bodies(count(HINTED_BODIES)), WRITERS, write);
  const alone = await drain(here, away);

  await away.influxd.kill9();
  await writeAll(points.bodies(count(HINTED_BODIES)), WRITERS, write);
  const during = points.bodies(count(FOREGROUND_BODIES));
  const draining = drain(here, away);
  const foreground = await writeAll(during, WRITERS, write);
  await draining;

  const plain = await writeAll(points.bodies(count(REFERENCE_BODIES)), ONE_WRITER, (body) =>
    direct.write(body),
  );
  const directRate = rateOf(plain);
  const drainRate = (alone.points / alone.tookMs) * 1000;
  return {
    figures: [
      ...appends.figures,
      { what: 'direct to one influxd, one writer', measured: perSecond(directRate) },
      {
        what: 'drained to an owner that is back',
        measured: `${perSecond(drainRate)}, ${(drainRate / directRate).toFixed(2)} of direct`,
        aim: atLeast(`≥ ${AIM_OF_DIRECT} of direct`, drainRate / directRate, AIM_OF_DIRECT),
      },
      { what: 'writes, both owners there', measured: told(before) },
      { what: 'writes, one owner away', measured: told(hinted) },
      { what: 'writes while hints drain', measured: told(foreground) },
    ],
    notes: [
      ...appends.notes,
      `Two nodes, bodies of ${POINTS_PER_BODY} points, ${hinted.bodies} of them as hints; ${WRITERS} writers at one gateway, level one. The owner's influxd is killed and started again; draining is timed from the first to the last hint that it takes.`,
    ],
  };
}

/** Starts the owner's influxd; resolves once nothing waits for it any more. */
async function drain(
  here: DataNode,
  away: DataNode,
): Promise<{ readonly points: number; readonly tookMs: number }> {
  const waiting = () => gaugeOf(here.agent, 'clusterflux_handoff_points');
  const held = await waiting();
  await away.influxd.start();
  await eventually(async () => (await waiting()) < held, {
    withinMs: DRAINS_WITHIN_MS,
    what: 'the owner takes hints again',
  });
  const started = performance.now();
  const first = await waiting();
  await eventually(async () => (await waiting()) === 0, {
    withinMs: DRAINS_WITHIN_MS,
    what: 'all hints are delivered',
  });
  return { points: first, tookMs: performance.now() - started };
}

function targetOf(url: string, cleanup: Cleanup): Promise<WriteTarget> {
  return cleanup.keep(Promise.resolve(new WriteTarget(url, WRITERS)), (each) => each.close());
}

function rateOf({ bodies, tookMs }: Written): number {
  return ((bodies * POINTS_PER_BODY) / tookMs) * 1000;
}

function told(written: Written): string {
  const { latencies } = written;
  return `${perSecond(rateOf(written))}; p50 ${ms(median(latencies))}, p99 ${ms(percentile(latencies, 0.99))}`;
}

function perSecond(points: number): string {
  return `${Math.round(points).toLocaleString('en')} points/s`;
}
