// Heartbeats with unchanged status on one manager over real etcd: how many per second, and how long each takes.
// Beside it, with the same clients, the manager's cheapest answer: what HTTP alone costs here.
import { Pool } from 'undici';
import { startEtcd } from '../test/support/etcd.js';
import type { BenchOptions, Cleanup } from './support/bench.js';
import { beatAtRate, registerNodes, type Beat } from './support/nodes.js';
import { cpuMs } from './support/proc.js';
import { startManager, type Program } from './support/programs.js';
import { atLeast, type Report } from './support/report.js';
import { ms, percentile, spread } from './support/statistics.js';

const NODES = 500;
const WARM_UP_MS = 2_000;
const MEASURED_MS = 8_000;

/** Enough that the manager always has something to do; more only wait longer. */
const BUSY_CLIENTS = 32;

/** Far from its limit: what a cluster of 500 nodes that beat every 5 s asks for, and the latency that it gets. */
const CALM_PER_SECOND = NODES / 5;

interface Run {
  readonly perSecond: number;
  readonly latencies: readonly number[];
  /** Of one core, in percent. */
  readonly managerCpu: number;
}

export async function heartbeats({ scale }: BenchOptions, cleanup: Cleanup): Promise<Report> {
  const etcd = await cleanup.keep(startEtcd(), (each) => each.stop());
  const manager = await cleanup.keep(startManager(etcd.endpoints), (each) => each.stop());
  const pool = await cleanup.keep(
    Promise.resolve(new Pool(manager.url, { connections: BUSY_CLIENTS, pipelining: 1 })),
    (each) => each.close(),
  );
  const beats = await registerNodes(pool, 'bench', NODES);
  // The first one puts the status, what follows is unchanged.
  for (const beat of beats) await beat();
  const bare: Beat = async () => {
    const { body } = await pool.request({ method: 'GET', path: '/livez' });
    await body.dump();
  };
  const measuredMs = MEASURED_MS * scale;
  await saturate(beats, manager, WARM_UP_MS * scale);
  const busy = await saturate(beats, manager, measuredMs);
  const http = await saturate([bare], manager, measuredMs / 2);
  const calm = await beatAtRate(beats, CALM_PER_SECOND, AbortSignal.timeout(measuredMs / 2));
  return report(busy, http, calm);
}

async function saturate(beats: readonly Beat[], { pid }: Program, forMs: number): Promise<Run> {
  const latencies: number[] = [];
  const cpuBefore = await cpuMs(pid);
  const started = performance.now();
  let next = 0;
  const client = async (): Promise<void> => {
    while (performance.now() - started < forMs) {
      const beat = beats[next++ % beats.length] as Beat;
      const sent = performance.now();
      await beat();
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: BUSY_CLIENTS }, client));
  const tookMs = performance.now() - started;
  const managerCpu = (((await cpuMs(pid)) - cpuBefore) / tookMs) * 100;
  return { perSecond: (latencies.length / tookMs) * 1000, latencies, managerCpu };
}

function report(busy: Run, http: Run, calm: readonly number[]): Report {
  const share = (busy.perSecond / http.perSecond) * 100;
  return {
    figures: [
      {
        what: 'bare HTTP (GET /livez) per second',
        measured: `${http.perSecond.toFixed(0)}, ${ms(percentile(http.latencies, 0.5))} each`,
      },
      {
        what: 'heartbeats per second',
        measured: `${busy.perSecond.toFixed(0)}, ${share.toFixed(0)} % of bare HTTP`,
        aim: atLeast('≥ 2,000', busy.perSecond, 2_000),
      },
      { what: `latency then, ${BUSY_CLIENTS} clients`, measured: spread(busy.latencies) },
      { what: `latency at ${CALM_PER_SECOND} per second`, measured: spread(calm) },
      { what: 'processor of the manager', measured: `${busy.managerCpu.toFixed(0)} % of a core` },
    ],
    notes: [
      `${NODES} nodes of one cluster over one etcd, ${BUSY_CLIENTS} connections of one client process on the same machine, which takes its share of the processor.`,
    ],
  };
}
