// What idle programs cost: resident memory, processor time, and the time from the spawn until they are ready.
import { startEtcd } from '../test/support/etcd.js';
import { startInfluxd } from '../test/support/influxd.js';
import { pause, type BenchOptions, type Cleanup } from './support/bench.js';
import { cpuMs, residentBytes } from './support/proc.js';
import { startAgent, startManager, type Program } from './support/programs.js';
import { atMost, type Figure, type Report } from './support/report.js';
import { median, ms } from './support/statistics.js';
import { spawnSync } from 'node:child_process';

/** Starts per program; the median counts. */
const STARTS = 5;

/** Until what happens only at the start is over. */
const SETTLE_MS = 5_000;

/** Two resyncs of an agent (30 s each) and twelve heartbeats. */
const IDLE_MS = 60_000;

const MIB = 2 ** 20;
const DATABASES = 20;

export async function footprint({ scale }: BenchOptions, cleanup: Cleanup): Promise<Report> {
  const starts = Math.max(1, Math.round(STARTS * scale));
  const etcd = await cleanup.keep(startEtcd(), (each) => each.stop());
  const influxd = await cleanup.keep(startInfluxd(), (each) => each.remove());
  for (let i = 0; i < DATABASES; i++) await influxd.query(`CREATE DATABASE "bench_${i}"`);
  const embedded = await started(starts, cleanup, () => startManager(undefined));
  const overEtcd = await started(starts, cleanup, () => startManager(etcd.endpoints));
  const agent = await started(starts, cleanup, () => startAgent(overEtcd.program, influxd));
  await pause(SETTLE_MS * scale);
  const idleMs = IDLE_MS * scale;
  const [forAgent, forEtcd, forEmbedded] = await Promise.all(
    [agent, overEtcd, embedded].map(({ program }) => idle(program, idleMs)),
  );
  const node = Array.from({ length: starts }, bareStart);
  return {
    figures: [
      { what: 'node -e 0, started and ended', measured: ms(median(node)) },
      ...rows('agent', agent.readyMs, forAgent, true),
      ...rows('manager over etcd', overEtcd.readyMs, forEtcd, false),
      ...rows('manager, embedded store', embedded.readyMs, forEmbedded, false),
    ],
    notes: [
      `Idle for ${idleMs / 1000} s; one agent with ${DATABASES} databases in step; readiness is the median of ${starts} starts, from the spawn to the ready file.`,
      "An agent's readiness includes its registration and the first comparison of influxd with the cluster.",
    ],
  };
}

interface Started {
  /** The last one, still running. */
  readonly program: Program;
  readonly readyMs: number;
}

async function started(
  times: number,
  cleanup: Cleanup,
  start: () => Promise<Program>,
): Promise<Started> {
  const all: number[] = [];
  for (let i = 1; i < times; i++) {
    const program = await start();
    all.push(program.readyMs);
    await program.stop();
  }
  const program = await cleanup.keep(start(), (each) => each.stop());
  return { program, readyMs: median([...all, program.readyMs]) };
}

interface Idle {
  readonly residentMib: number;
  /** Of one core. */
  readonly cpuPercent: number;
}

async function idle({ pid }: Program, forMs: number): Promise<Idle> {
  const before = await cpuMs(pid);
  await pause(forMs);
  const used = (await cpuMs(pid)) - before;
  return { residentMib: (await residentBytes(pid)) / MIB, cpuPercent: (used / forMs) * 100 };
}

/** The issue sets limits to an agent's memory and time; both programs shall be ready soon. */
function rows(name: string, readyMs: number, idling: Idle | undefined, isAgent: boolean): Figure[] {
  const { residentMib = NaN, cpuPercent = NaN } = idling ?? {};
  return [
    {
      what: `${name}: resident memory`,
      measured: `${residentMib.toFixed(1)} MiB`,
      ...(isAgent ? { aim: atMost('≤ 70 MiB', residentMib, 70) } : {}),
    },
    {
      what: `${name}: processor`,
      measured: `${cpuPercent.toFixed(2)} % of a core`,
      ...(isAgent ? { aim: atMost('≤ 0.5 %', cpuPercent, 0.5) } : {}),
    },
    { what: `${name}: ready after`, measured: ms(readyMs), aim: atMost('≤ 500 ms', readyMs, 500) },
  ];
}

/** What this machine needs to start Node at all. */
function bareStart(): number {
  const started = performance.now();
  spawnSync(process.execPath, ['-e', '0']);
  return performance.now() - started;
}
