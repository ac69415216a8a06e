// Metrics of hinted handoff, `clusterflux_handoff_*`, per owner; they are read when they are scraped.
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { OwnerHints } from './owner-hints.js';
import type { Tally } from './tally.js';

/** `owner` is the node's number, or its uid where no such node is registered. */
const labelNames = ['owner'] as const;

type Read = (owner: OwnerHints) => number;

const GAUGES: readonly (readonly [string, string, (clock: Clock) => Read])[] = [
  [
    'records',
    'Hints that wait.',
    () =>
      ({ backlog }) =>
        backlog.records,
  ],
  [
    'points',
    'Points in hints that wait.',
    () =>
      ({ backlog }) =>
        backlog.points,
  ],
  [
    'bytes',
    'Bytes of hints that wait.',
    () =>
      ({ backlog }) =>
        backlog.bytes,
  ],
  [
    'oldest_seconds',
    'Age of the oldest hint; 0 where there is none.',
    (clock) =>
      ({ backlog: { oldestMs } }) =>
        oldestMs === undefined ? 0 : Math.max(0, clock.nowMs() - oldestMs) / 1000,
  ],
  [
    'drain_bytes_per_second',
    'Bytes of hints that were delivered, over the last ten seconds.',
    () =>
      ({ tally }) =>
        tally.bytesPerSecond,
  ],
  [
    'failing',
    '1 where the last attempt failed.',
    () =>
      ({ backlog }) =>
        backlog.lastError === undefined ? 0 : 1,
  ],
];

const COUNTERS: readonly (readonly [string, string, (tally: Tally) => number])[] = [
  ['delivered_records_total', 'Hints that were delivered.', (tally) => tally.deliveredRecords],
  ['delivered_bytes_total', 'Bytes of hints that were delivered.', (tally) => tally.deliveredBytes],
  ['settled_total', 'Hints that the direct request made unnecessary.', (tally) => tally.settled],
  ['refused_total', 'Hints that could not be kept.', (tally) => tally.refused],
  ['expired_total', 'Hints and points that were too old.', (tally) => tally.expired],
  ['lost_total', 'Hints that were damaged or missing on disk.', (tally) => tally.lost],
  ['gone_points_total', 'Points whose database or policy is gone.', (tally) => tally.gone],
  ['dead_letter_points_total', 'Points that were refused for good.', (tally) => tally.deadLetters],
];

/** What hints look like from outside; `owners` is asked at each scrape. */
export function createHandoffMetrics(
  registry: Registry,
  owners: () => readonly OwnerHints[],
  clock: Clock,
): void {
  const registers = [registry];
  for (const [name, help, readerOf] of GAUGES) {
    const read = readerOf(clock);
    new Gauge({
      name: `clusterflux_handoff_${name}`,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const owner of owners()) this.set({ owner: labelOf(owner) }, read(owner));
      },
    });
  }
  for (const [name, help, read] of COUNTERS) {
    new Counter({
      name: `clusterflux_handoff_${name}`,
      help,
      labelNames,
      registers,
      // Counted by the owners themselves, so that a scrape shows what is, whenever it was first asked for.
      collect() {
        this.reset();
        for (const owner of owners()) this.inc({ owner: labelOf(owner) }, read(owner.tally));
      },
    });
  }
}

function labelOf({ node, uid }: OwnerHints): string {
  return node === undefined ? uid : String(node);
}
