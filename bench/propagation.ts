// From the answer to CREATE DATABASE on one node until SHOW DATABASES on another has it: three nodes, one manager, real etcd.
// Beside it, in turn with it, the floor that nothing of the kind can beat: one etcd put and the same statement straight to a server.
import { Etcd3 } from 'etcd3';
import { startEtcd } from '../test/support/etcd.js';
import { startInfluxd, type TestInfluxd } from '../test/support/influxd.js';
import { pause, type BenchOptions, type Cleanup } from './support/bench.js';
import { InfluxClient } from './support/influx-client.js';
import { startAgent, startManager } from './support/programs.js';
import { atMost, type Report } from './support/report.js';
import { ms, percentile, spread } from './support/statistics.js';

const NODES = 3;
const ROUNDS = 200;
const MIN_ROUNDS = 10;

/** Enough that the code on the way is compiled; even, because two kinds of floor take turns. */
const WARM_UP_ROUNDS = 20;
const POLL_EVERY_MS = 5;
const ARRIVES_WITHIN_MS = 10_000;

/** After a change the agents look once more at what they did; the next measurement must not compete with that. */
const REST_MS = 60;

interface Setup {
  readonly nodes: readonly InfluxClient[];
  /** An influxd without an agent, so that what the floor creates is nobody's change. */
  readonly lone: InfluxClient;
  readonly etcd: Etcd3;
}

export async function propagation({ scale }: BenchOptions, cleanup: Cleanup): Promise<Report> {
  const setup = await start(cleanup);
  const floors: number[] = [];
  const seenFloors: number[] = [];
  const delays: number[] = [];
  const rounds = Math.max(MIN_ROUNDS, Math.round(ROUNDS * scale));
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    const name = `bench_${round + WARM_UP_ROUNDS}`;
    // In turn, so that the lone server has as many databases as the others.
    const isSeen = round % 2 !== 0;
    const floor = await (isSeen ? seenFloorOf(name, setup) : floorOf(name, setup));
    await pause(REST_MS);
    const delay = await delayOf(name, round + WARM_UP_ROUNDS, setup);
    await pause(REST_MS);
    if (round < 0) continue;
    (isSeen ? seenFloors : floors).push(floor);
    delays.push(delay);
  }
  return report(floors, seenFloors, delays);
}

async function start(cleanup: Cleanup): Promise<Setup> {
  const server = await cleanup.keep(startEtcd(), (each) => each.stop());
  const manager = await cleanup.keep(startManager(server.endpoints), (each) => each.stop());
  const nodes: InfluxClient[] = [];
  for (let i = 0; i < NODES; i++) {
    const influxd = await startServer(cleanup);
    await cleanup.keep(startAgent(manager, influxd), (each) => each.stop());
    nodes.push(await clientOf(influxd, cleanup));
  }
  const lone = await clientOf(await startServer(cleanup), cleanup);
  const etcd = new Etcd3({ hosts: [...server.endpoints] });
  await cleanup.keep(Promise.resolve(etcd), async (client) => {
    client.close();
  });
  return { nodes, lone, etcd };
}

function startServer(cleanup: Cleanup): Promise<TestInfluxd> {
  return cleanup.keep(startInfluxd(), (each) => each.remove());
}

function clientOf({ url }: TestInfluxd, cleanup: Cleanup): Promise<InfluxClient> {
  return cleanup.keep(Promise.resolve(new InfluxClient(url)), (each) => each.close());
}

async function floorOf(name: string, { lone, etcd }: Setup): Promise<number> {
  const started = performance.now();
  await etcd.put(`/floor/${name}`).value(name);
  await lone.query(createDatabase(name));
  return performance.now() - started;
}

/** The same, watched as a propagation is watched: with its polling. */
async function seenFloorOf(name: string, setup: Setup): Promise<number> {
  const started = performance.now();
  await Promise.all([floorOf(name, setup), untilThere(name, setup.lone)]);
  return performance.now() - started;
}

/** Each node in turn is the source; the next one is watched, and the round ends when the third has it too. */
async function delayOf(name: string, round: number, { nodes }: Setup): Promise<number> {
  const [source, target, third] = [0, 1, 2].map((i) => nodes[(round + i) % nodes.length]) as [
    InfluxClient,
    InfluxClient,
    InfluxClient,
  ];
  await source.query(createDatabase(name));
  const started = performance.now();
  await untilThere(name, target);
  const delay = performance.now() - started;
  await untilThere(name, third);
  return delay;
}

async function untilThere(name: string, influxd: InfluxClient): Promise<void> {
  const started = performance.now();
  for (let due = started; due - started < ARRIVES_WITHIN_MS;) {
    await pause(Math.max(0, due - performance.now()));
    if ((await influxd.query('SHOW DATABASES')).includes(`"${name}"`)) return;
    due = Math.max(due + POLL_EVERY_MS, performance.now());
  }
  throw new Error(`database ${name} did not arrive on ${influxd.url} in ${ARRIVES_WITHIN_MS} ms`);
}

function createDatabase(name: string): string {
  return `CREATE DATABASE "${name}"`;
}

function report(
  floors: readonly number[],
  seenFloors: readonly number[],
  delays: readonly number[],
): Report {
  const floor = percentile(floors, 0.5);
  const seenFloor = percentile(seenFloors, 0.5);
  const p50 = percentile(delays, 0.5);
  const p99 = percentile(delays, 0.99);
  return {
    figures: [
      { what: 'floor: etcd put + statement', measured: spread(floors) },
      { what: 'the same, watched by polling', measured: spread(seenFloors) },
      { what: 'propagation, watched by polling', measured: spread(delays) },
      {
        what: 'propagation p50',
        measured: `${(p50 / floor).toFixed(2)} × the floor, ${(p50 / seenFloor).toFixed(2)} × the watched floor`,
        aim: atMost('≤ 3 × the floor', p50 / floor, 3),
      },
      { what: 'propagation p99', measured: ms(p99), aim: atMost('≤ 150 ms', p99, 150) },
    ],
    notes: [
      `${delays.length} rounds; polled every ${POLL_EVERY_MS} ms, which adds half of that and one query to what is watched.`,
      'The databases of all rounds stay, so every snapshot is larger than the one before.',
    ],
  };
}
