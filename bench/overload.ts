// Ten times what the nodes can take: how much memory the agents need, what clients are told, whether a single acknowledged
// point is missing on any influxd afterwards, and how soon the nodes serve as before.
import { eventually } from '../test/support/eventually.js';
import { pause, type BenchOptions, type Cleanup } from './support/bench.js';
import { countOn, startDataCluster, type DataNode } from './support/data-cluster.js';
import { gaugeOf } from './support/metrics.js';
import { Points } from './support/points.js';
import { residentBytes } from './support/proc.js';
import { atMost, type Report } from './support/report.js';
import { median, ms } from './support/statistics.js';
import { writeAll, WriteTarget } from './support/writers.js';

const POINTS_PER_BODY = 1_000;
const FLOOD_MS = 60_000;
const CALM_BODIES = 100;
const CALM_WRITERS = 4;
const FACTOR = 10;
/** Clients at a time; who gets 503 comes again at once, which no client should do. */
const MAX_OUTSTANDING = 600;
const TICK_MS = 10;
const LOOK_EVERY_MS = 250;
const SETTLES_WITHIN_MS = 300_000;
const MIB = 2 ** 20;
/** gateway.max-bytes-in-flight with its copies (body, what goes to the socket), and what V8 has not collected yet. */
const AIM_MEMORY_MIB = 512;
const AIM_RECOVERY_MS = 2_000;

interface Tally {
  acknowledged: number;
  /** By status and code. */
  readonly refused: Map<string, number>;
  broken: number;
}

export async function overload({ scale }: BenchOptions, cleanup: Cleanup): Promise<Report> {
  const { nodes } = await startDataCluster({ nodes: 3 }, cleanup);
  const targets: WriteTarget[] = [];
  for (const { agent } of nodes) {
    const target = new WriteTarget(agent.gatewayUrl, MAX_OUTSTANDING / nodes.length);
    targets.push(await cleanup.keep(Promise.resolve(target), (each) => each.close()));
  }
  const points = new Points(POINTS_PER_BODY);
  const tally: Tally = { acknowledged: 0, refused: new Map(), broken: 0 };
  let next = 0;
  const send = (body: Uint8Array) => count(targets[next++ % 3] as WriteTarget, body, tally);

  const calmBodies = points.bodies(CALM_BODIES);
  const calm = await writeAll(calmBodies, CALM_WRITERS, send);
  const bodiesPerSecond = (calm.bodies / calm.tookMs) * 1000;
  const memory = watch(nodes);
  const offered = await flood(
    points,
    { perSecond: bodiesPerSecond * FACTOR, forMs: FLOOD_MS * scale, tally },
    send,
  );
  const recoveredMs = await recovery(targets, points, tally);
  const grown = await memory();
  const lost = await missing(nodes, tally.acknowledged);
  const told = [...tally.refused].map(
    ([refusal, times]) => `${refusal}: ${times.toLocaleString('en')}`,
  );
  return {
    figures: [
      {
        what: 'taken without overload',
        measured: `${perSecond(bodiesPerSecond)}, p50 ${ms(median(calm.latencies))}`,
      },
      {
        what: 'offered',
        measured: `${perSecond(offered.perSecond)}, ${(offered.perSecond / bodiesPerSecond).toFixed(1)} times as much, for ${((FLOOD_MS * scale) / 1000).toFixed(0)} s`,
      },
      {
        what: 'acknowledged meanwhile',
        measured: `${perSecond(offered.acknowledgedPerSecond)}; refused ${told.join(', ') || 'none'}; connections broken ${tally.broken}`,
      },
      {
        what: 'largest resident memory of an agent',
        measured: `${(grown.most / MIB).toFixed(0)} MiB; ${(grown.second / MIB).toFixed(0)} MiB in the second half of the time, ${(grown.first / MIB).toFixed(0)} MiB in the first`,
        aim: atMost(`≤ ${AIM_MEMORY_MIB} MiB`, grown.most / MIB, AIM_MEMORY_MIB),
      },
      {
        what: 'acknowledged points that an influxd lacks in the end',
        measured: `${lost} of ${tally.acknowledged.toLocaleString('en')}`,
        aim: atMost('none', lost, 0),
      },
      {
        what: 'every gateway takes a write again after',
        measured: ms(recoveredMs),
        aim: atMost(`≤ ${AIM_RECOVERY_MS / 1000} s`, recoveredMs, AIM_RECOVERY_MS),
      },
    ],
    notes: [
      `Three nodes, level one, bodies of ${POINTS_PER_BODY} points; at most ${MAX_OUTSTANDING} requests are open at a time. The writers take their share of the processors, so that what is offered may stay below the factor of ${FACTOR}.`,
    ],
  };
}

/** Sends one body, and counts what came of it. */
async function count(target: WriteTarget, body: Uint8Array, tally: Tally): Promise<void> {
  try {
    const refusal = await target.send(body);
    if (refusal === '') tally.acknowledged += POINTS_PER_BODY;
    else tally.refused.set(refusal, (tally.refused.get(refusal) ?? 0) + 1);
  } catch {
    // Not acknowledged: whether it was written does not matter here.
    tally.broken += 1;
  }
}

/** Sends at a rate, whether or not what was sent before is answered. */
async function flood(
  points: Points,
  { perSecond, forMs, tally }: { perSecond: number; forMs: number; tally: Tally },
  send: (body: Uint8Array) => Promise<void>,
): Promise<{ readonly perSecond: number; readonly acknowledgedPerSecond: number }> {
  const open = new Set<Promise<void>>();
  const started = performance.now();
  const before = tally.acknowledged;
  let sent = 0;
  for (let now = started; now - started < forMs; now = performance.now()) {
    const due = Math.min(((now - started) / 1000) * perSecond, sent + MAX_OUTSTANDING - open.size);
    for (; sent < due; sent += 1) {
      const request: Promise<void> = send(points.next()).finally(() => open.delete(request));
      open.add(request);
    }
    await pause(TICK_MS);
  }
  const tookMs = performance.now() - started;
  const acknowledged = (tally.acknowledged - before) / POINTS_PER_BODY;
  await Promise.all(open);
  return {
    perSecond: (sent / tookMs) * 1000,
    acknowledgedPerSecond: (acknowledged / tookMs) * 1000,
  };
}

/** From the end of the flood until every gateway has acknowledged a write. */
async function recovery(
  targets: readonly WriteTarget[],
  points: Points,
  tally: Tally,
): Promise<number> {
  const started = performance.now();
  for (const target of targets) {
    await eventually(
      async () => {
        const before = tally.acknowledged;
        await count(target, points.next(), tally);
        return tally.acknowledged > before;
      },
      { withinMs: SETTLES_WITHIN_MS, what: 'a gateway takes writes again' },
    );
  }
  return performance.now() - started;
}

interface Memory {
  readonly most: number;
  readonly first: number;
  readonly second: number;
}

/** The largest resident memory of any agent, until the returned function is called. */
function watch(nodes: readonly DataNode[]): () => Promise<Memory> {
  const seen: number[] = [];
  const look = async (): Promise<void> => {
    const all = await Promise.all(nodes.map(({ agent }) => residentBytes(agent.pid)));
    seen.push(Math.max(...all));
  };
  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  return async () => {
    clearInterval(timer);
    await look();
    const half = seen.length >>> 1;
    const [first, second] = [Math.max(...seen.slice(0, half), 0), Math.max(...seen.slice(half))];
    return { most: Math.max(first, second), first, second };
  };
}

/** The most that any influxd lacks of the acknowledged points, once no agent holds hints. */
async function missing(nodes: readonly DataNode[], acknowledged: number): Promise<number> {
  await eventually(
    async () => {
      const held = await Promise.all(
        nodes.map(({ agent }) => gaugeOf(agent, 'clusterflux_handoff_records')),
      );
      return held.every((records) => records === 0);
    },
    { withinMs: SETTLES_WITHIN_MS, what: 'all hints are delivered' },
  );
  const counts = await Promise.all(nodes.map(({ influxd }) => countOn(influxd)));
  return Math.max(0, ...counts.map((each) => acknowledged - each));
}

function perSecond(bodies: number): string {
  return `${Math.round(bodies * POINTS_PER_BODY).toLocaleString('en')} points/s`;
}
