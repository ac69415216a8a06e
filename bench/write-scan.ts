// What the write path costs per point before anything is sent: scanning line protocol, finding group and shard, and building
// the batches. One process, one core, no server; processor time, so that a busy machine disturbs less.
import type { PlacedGroup } from '../shared/placement/model.js';
import { groupBounds } from '../shared/influx/group-time.js';
import { LineScanner } from '../shared/influx/scan/line-scanner.js';
import { route } from '../agent/gateway/write/route.js';
import { ScannedPart } from '../agent/gateway/write/scanned-part.js';
import type { BenchOptions } from './support/bench.js';
import { atLeast, type Figure, type Report } from './support/report.js';

/** As Telegraf sends them, some hosts' worth. */
const POINTS_PER_BODY = 5_000;
const BODIES_PER_ROUND = 20;
/** The best round counts: code is compiled in the first ones, and others use the machine. */
const ROUNDS = 8;

const AIM_POINTS_PER_SECOND = 500_000;
const DAY_NS = 86_400_000_000_000n;
const START_NS = 1_700_000_000_000_000_000n;
const STEP_NS = 1_000_000n;

/** `unsorted`: the tags come in another order than that of their keys; `escaped`: two tags have an escaped space each. */
type Kind = 'sorted' | 'unsorted' | 'escaped';

export async function writeScan({ scale }: BenchOptions): Promise<Report> {
  const rounds = Math.max(3, Math.round(ROUNDS * scale));
  const figures: Figure[] = [];
  const figure = (what: string, pointsPerSecond: number, hasAim = false) => {
    const measured = `${Math.round(pointsPerSecond).toLocaleString('en')} points/s`;
    const aim = atLeast(
      `>= ${AIM_POINTS_PER_SECOND.toLocaleString('en')}`,
      pointsPerSecond,
      AIM_POINTS_PER_SECOND,
    );
    figures.push(hasAim ? { what, measured, aim } : { what, measured });
  };
  for (const kind of ['sorted', 'unsorted', 'escaped'] as const) {
    const body = bodyOf(kind);
    const rate = best(rounds, () => scanner().scan(body).points);
    figure(`scan, tags ${kind}`, rate);
  }
  for (const shards of [1, 3]) {
    const body = bodyOf('sorted');
    const group = groupOf(shards);
    const rate = best(rounds, () => routed(body, group));
    figure(`scan, route and build batches, ${shards} shard${shards > 1 ? 's' : ''}`, rate, true);
  }
  return {
    figures,
    notes: [
      `Bodies of ${POINTS_PER_BODY} points with 10 tags and 10 fields each, ${bytesPerPoint()} bytes per point; the best of ${rounds} rounds, per second of processor time.`,
    ],
  };
}

/** Points per second of processor time that are scanned, routed and built into batches, into one shard. */
export function routing(scale: number): number {
  const body = bodyOf('sorted');
  const group = groupOf(1);
  return best(Math.max(3, Math.round(ROUNDS * scale)), () => routed(body, group));
}

function scanner(): LineScanner {
  return new LineScanner({ precision: 'n', defaultTimeNs: START_NS });
}

/** The points that went into batches. */
function routed(body: Buffer, group: PlacedGroup): number {
  const { parts } = route(new ScannedPart(scanner().scan(body)), {
    writable: () => group,
    shardDurationNs: DAY_NS,
    keepFromNs: START_NS - DAY_NS,
  });
  for (const { lines } of parts) lines.body();
  return parts.reduce((sum, { lines }) => sum + lines.count, 0);
}

/** Points per second of processor time, in the best of the rounds. */
function best(rounds: number, once: () => number): number {
  let rate = 0;
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    let points = 0;
    for (let each = 0; each < BODIES_PER_ROUND; each += 1) points += once();
    const { user, system } = process.cpuUsage(before);
    rate = Math.max(rate, (points / (user + system)) * 1e6);
  }
  return rate;
}

function bytesPerPoint(): number {
  return Math.round(bodyOf('sorted').length / POINTS_PER_BODY);
}

function bodyOf(kind: Kind): Buffer {
  return Buffer.from(
    Array.from({ length: POINTS_PER_BODY }, (_, at) => lineOf(at, kind)).join('\n'),
  );
}

function lineOf(at: number, kind: Kind): string {
  const tags = Array.from({ length: 10 }, (_, tag) => {
    const space = kind === 'escaped' && tag < 2 ? '\\ ' : '-';
    return `tag_${tag}=value${space}${tag}-${(at * 7 + tag) % 97}`;
  });
  if (kind === 'unsorted') tags.push(...tags.splice(0, 5));
  const fields = Array.from({ length: 10 }, (_, field) =>
    field % 2 === 0
      ? `field_${field}=${((at * 17 + field) % 1000) / 8}`
      : `field_${field}=${at * 13 + field}i`,
  );
  const timeNs = START_NS + BigInt(at) * STEP_NS;
  return `cpu,${tags.join(',')} ${fields.join(',')} ${timeNs.toString()}`;
}

function groupOf(shards: number): PlacedGroup {
  return {
    id: 1,
    database: 'telegraf',
    policy: 'autogen',
    databaseMark: 1,
    policyMark: 1,
    ...groupBounds(START_NS, DAY_NS),
    shards: Array.from({ length: shards }, (_, at) => ({ id: at + 1, owners: [{ node: at + 1 }] })),
  };
}
