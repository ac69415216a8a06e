// Reading through gateways: what one adds to a small query, and how fast a large answer comes through, at an owner's gateway
// and at the gateway of a node that has none of the points. The reference is the owner's own influxd, asked in turn.
import { Pool } from 'undici';
import type { BenchOptions, Cleanup } from './support/bench.js';
import { DATABASE, startDataCluster, type DataNode } from './support/data-cluster.js';
import { residentBytes } from './support/proc.js';
import { atLeast, atMost, type Figure, type Report } from './support/report.js';
import { median, ms, percentile } from './support/statistics.js';

/** Two owners of three nodes: the third one has to ask. */
const ENV = { CLUSTERFLUX_PLACEMENT_MIN_REPLICATION: '2' };
const SMALL_ROUNDS = 2_000;
const WARM_UP_ROUNDS = 200;
const ROWS = 1_000_000;
const ROWS_PER_BODY = 20_000;
const LARGE_ROUNDS = 7;
const RSS_EVERY_MS = 20;
const TIMEOUT_MS = 120_000;
const MIB = 2 ** 20;

const AIM_ADDED_MS = 1;
const AIM_OF_DIRECT = 0.9;
/** What V8 may take for young objects before it collects them; an answer held whole would be more. */
const AIM_GROWTH_MIB = 48;

const SMALL = 'SELECT v FROM rows LIMIT 1';
const LARGE = 'SELECT * FROM rows';

interface Asked {
  readonly name: string;
  readonly pool: Pool;
  readonly pid: number | undefined;
  readonly small: number[];
  readonly bytesPerSecond: number[];
  growthMib: number;
}

export async function query({ scale }: BenchOptions, cleanup: Cleanup): Promise<Report> {
  const { nodes } = await startDataCluster({ nodes: 3, env: ENV }, cleanup);
  const rows = Math.max(ROWS_PER_BODY, Math.round(ROWS * scale));
  await writeRows(nodes[0], rows);
  const [owner, other] = await splitByOwner(nodes);
  const direct = await asked('influxd, direct', owner.influxd.url, undefined, cleanup);
  const own = await asked("the owner's gateway", owner.agent.gatewayUrl, owner.agent.pid, cleanup);
  const remote = await asked(
    "another node's gateway",
    other.agent.gatewayUrl,
    other.agent.pid,
    cleanup,
  );
  const all = [direct, own, remote];
  await smallQueries(all, Math.max(100, Math.round(SMALL_ROUNDS * scale)));
  await largeAnswers(all, rows, Math.max(2, Math.round(LARGE_ROUNDS * scale)));
  return {
    figures: [
      ...all.map((each) => smallFigure(each, direct)),
      ...all.map((each) => largeFigure(each, direct)),
    ],
    notes: [
      `Small: one client, one row, ${own.small.length} rounds in turn. Large: ${rows.toLocaleString('en')} rows, chunked, thrown away by the client as they come, medians of ${own.bytesPerSecond.length} rounds in turn.`,
      "Growth is the gateway's largest resident memory during an answer, less that before it.",
      'Agents share a secret: what goes from one to another bears a code over each frame of 64 KiB.',
    ],
  };
}

async function writeRows({ agent }: DataNode, rows: number): Promise<void> {
  const startMs = Date.now() - 3_600_000;
  for (let from = 0; from < rows; from += ROWS_PER_BODY) {
    const lines = Array.from(
      { length: Math.min(ROWS_PER_BODY, rows - from) },
      (_, at) =>
        `rows,host=server-${(from + at) % 10} v=${from + at}i,f=${at / 8} ${startMs + from + at}`,
    );
    const answer = await fetch(
      `${agent.gatewayUrl}/write?db=${DATABASE}&precision=ms&consistency=all`,
      { method: 'POST', body: lines.join('\n') },
    );
    await answer.text();
    if (answer.status !== 204) throw new Error(`writing rows was answered with ${answer.status}`);
  }
}

/** A node that owns the rows, and one that does not: as the answers' headers tell. */
async function splitByOwner(nodes: readonly DataNode[]): Promise<readonly [DataNode, DataNode]> {
  const own: DataNode[] = [];
  const others: DataNode[] = [];
  for (const node of nodes) {
    const has = (await node.influxd.query(SMALL, { db: DATABASE }))[0]?.series !== undefined;
    (has ? own : others).push(node);
  }
  const [owner, other] = [own[0], others[0]];
  if (owner === undefined || other === undefined) {
    throw new Error(`${own.length} of ${nodes.length} nodes own the rows: two were expected`);
  }
  return [owner, other];
}

async function asked(
  name: string,
  url: string,
  pid: number | undefined,
  cleanup: Cleanup,
): Promise<Asked> {
  const pool = await cleanup.keep(
    Promise.resolve(new Pool(url, { connections: 1, pipelining: 1, bodyTimeout: TIMEOUT_MS })),
    (each) => each.destroy(),
  );
  return { name, pool, pid, small: [], bytesPerSecond: [], growthMib: 0 };
}

async function smallQueries(all: readonly Asked[], rounds: number): Promise<void> {
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    for (const each of all) {
      const started = performance.now();
      await read(each.pool, SMALL, false);
      if (round >= 0) each.small.push(performance.now() - started);
    }
  }
}

async function largeAnswers(all: readonly Asked[], rows: number, rounds: number): Promise<void> {
  for (let round = -1; round < rounds; round += 1) {
    for (const each of all) {
      const watch = each.pid === undefined ? undefined : watchMemory(each.pid);
      const started = performance.now();
      const bytes = await read(each.pool, LARGE, true);
      const tookMs = performance.now() - started;
      const growth = await watch?.();
      // Each row has a name, a time, and three values.
      if (bytes < rows * 20) throw new Error(`${each.name} gave ${bytes} bytes for ${rows} rows`);
      if (round < 0) continue;
      each.bytesPerSecond.push((bytes / tookMs) * 1000);
      each.growthMib = Math.max(each.growthMib, (growth ?? 0) / MIB);
    }
  }
}

/** The bytes of the body, none of which is kept. */
async function read(pool: Pool, q: string, isChunked: boolean): Promise<number> {
  const path = `/query?db=${DATABASE}&epoch=ns&q=${encodeURIComponent(q)}${isChunked ? '&chunked=true' : ''}`;
  const { statusCode, body } = await pool.request({ method: 'GET', path });
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) bytes += chunk.length;
  if (statusCode !== 200) throw new Error(`${q} was answered with ${statusCode}`);
  return bytes;
}

/** Looks at a process's memory until the returned function is called, which resolves to the growth in bytes. */
function watchMemory(pid: number): () => Promise<number> {
  const first = residentBytes(pid);
  let most = 0;
  let looking: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    most = Math.max(most, await residentBytes(pid));
  };
  const timer = setInterval(() => {
    looking = look();
  }, RSS_EVERY_MS);
  return async () => {
    clearInterval(timer);
    await looking;
    await look();
    return most - (await first);
  };
}

function smallFigure(each: Asked, direct: Asked): Figure {
  const p50 = median(each.small);
  const measured = `p50 ${p50.toFixed(2)} ms, p99 ${ms(percentile(each.small, 0.99))}`;
  const what = `small query: ${each.name}`;
  if (each === direct) return { what, measured };
  const added = p50 - median(direct.small);
  return {
    what,
    measured: `${measured}; ${added.toFixed(2)} ms more at p50`,
    aim: atMost(`≤ ${AIM_ADDED_MS} ms more`, added, AIM_ADDED_MS),
  };
}

function largeFigure(each: Asked, direct: Asked): Figure {
  const rate = median(each.bytesPerSecond);
  const measured = `${(rate / MIB).toFixed(1)} MiB/s`;
  const what = `large answer: ${each.name}`;
  if (each === direct) return { what, measured };
  const ratio = rate / median(direct.bytesPerSecond);
  const isFlat = each.growthMib <= AIM_GROWTH_MIB;
  const aim = atLeast(`≥ ${AIM_OF_DIRECT} of direct, flat memory`, ratio, AIM_OF_DIRECT);
  return {
    what,
    measured: `${measured}, ${ratio.toFixed(2)} of direct; memory grew by ${each.growthMib.toFixed(0)} MiB`,
    aim: { ...aim, isMet: aim.isMet && isFlat },
  };
}
