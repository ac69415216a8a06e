// The agent's own metrics, `clusterflux_agent_*`. They read the status when they are scraped, or count what they are told.
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { TickReport } from '../sync/port.js';
import type { AgentStatus } from './agent-status.js';

export interface AgentMetrics {
  noteReport(report: TickReport): void;
  noteTick(durationMs: number): void;
  noteManagers(isAvailable: boolean): void;
  noteRestart(outcome: string): void;
}

/** From a tick that found nothing to do to one that applied hundreds of statements. */
const TICK_BUCKETS_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];

export function createAgentMetrics(registry: Registry, status: AgentStatus): AgentMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number) => {
    new Gauge({
      name: `clusterflux_agent_${name}`,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  gauge(
    'version',
    'Version of the cluster that was compared with last.',
    () => status.view().version,
  );
  gauge('in_step', '1 where nothing is left to do but what is pending or held.', () =>
    status.view()['in-step'] ? 1 : 0,
  );
  gauge('pending', 'Differences that can not be applied now.', () => status.view().pending.length);
  gauge('held', 'Differences that wait for a person.', () => status.view().held.length);
  gauge('registered', '1 where the managers list this node.', () =>
    status.currentStanding.kind === 'member' ? 1 : 0,
  );
  gauge('influxd_up', '1 where the local influxd answers.', () =>
    status.view().influxd.answers ? 1 : 0,
  );
  const managers = new Gauge({
    name: 'clusterflux_agent_managers_available',
    help: '0 after the managers were tried in vain, until one answers.',
    registers,
  });
  managers.set(1);
  const ticks = new Counter({
    name: 'clusterflux_agent_ticks_total',
    help: 'Reconciliations by their outcome.',
    labelNames: ['outcome'],
    registers,
  });
  const steps = new Counter({
    name: 'clusterflux_agent_steps_total',
    help: 'Changes that were pushed to the cluster, applied to the local influxd, or noted.',
    labelNames: ['direction'],
    registers,
  });
  const duration = new Histogram({
    name: 'clusterflux_agent_tick_duration_seconds',
    help: 'How long a reconciliation took.',
    buckets: TICK_BUCKETS_SECONDS,
    registers,
  });
  const restarts = new Counter({
    name: 'clusterflux_agent_influxd_restarts_total',
    help: 'Restarts of influxd for what no statement can set, by their outcome.',
    labelNames: ['outcome'],
    registers,
  });
  return {
    noteRestart(outcome) {
      restarts.inc({ outcome });
    },
    noteReport(report) {
      ticks.inc({ outcome: report.outcome });
      for (const { direction } of report.steps) steps.inc({ direction });
    },
    noteTick(durationMs) {
      duration.observe(durationMs / 1000);
    },
    noteManagers(isAvailable) {
      managers.set(isAvailable ? 1 : 0);
    },
  };
}
