// The slow work beside the requests: letting go of old versions, sweeping, counting, closing idle views. Every manager does
// it; all of it is safe to do twice and at the same time.
import { isAbort } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { repeat } from '../../shared/lifecycle/repeat.js';
import type { Logger } from '../../shared/log/logger.js';
import type { ManagerMetrics } from '../metrics.js';
import type { Services } from '../services.js';
import type { Caretaker } from './caretaker.js';
import type { QuotaWatch } from './quota-watch.js';

/** Counts in metrics are as old as this at most; versions that are not kept stay as long. */
const SHORT_INTERVAL_MS = 10_000;
const LONG_INTERVAL_MS = 3_600_000;

export interface MaintenanceDeps {
  readonly services: Pick<
    Services,
    'clusters' | 'contact' | 'placements' | 'retention' | 'sweep' | 'views'
  >;
  readonly metrics: Pick<ManagerMetrics, 'clusters' | 'nodes' | 'nodesAlive' | 'storeReachable'>;
  /** Undefined: the store needs none. */
  readonly caretaker: Caretaker | undefined;
  /** Undefined: the store has no quota. */
  readonly quota?: QuotaWatch | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Maintenance {
  constructor(private readonly deps: MaintenanceDeps) {}

  /** Runs until the signal is aborted. Failures are logged; the next round tries again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.deps;
    await Promise.all([
      repeat((aborted) => this.guarded('short', aborted), {
        intervalMs: SHORT_INTERVAL_MS,
        signal,
        clock,
      }),
      repeat((aborted) => this.guarded('long', aborted), {
        intervalMs: LONG_INTERVAL_MS,
        signal,
        clock,
      }),
    ]);
  }

  private async guarded(round: 'short' | 'long', signal: AbortSignal): Promise<void> {
    try {
      await (round === 'short' ? this.shortRound(signal) : this.longRound(signal));
    } catch (error) {
      if (signal.aborted && isAbort(error)) throw error;
      // The store being away is said by whoever watches it; here it only means that this waits.
      this.deps.logger.debug('maintenance failed, trying again later', { op: round, err: error });
    }
  }

  async shortRound(signal: AbortSignal): Promise<void> {
    const { services, metrics } = this.deps;
    services.views.closeIdle();
    metrics.storeReachable.set(services.contact.isReachable ? 1 : 0);
    if (!services.contact.isReachable) return;
    await this.deps.quota?.look(signal);
    for (const cluster of services.retention.due()) {
      await services.retention.trim(services.views.of(cluster), signal);
    }
    const clusters = await services.clusters.list(signal);
    metrics.clusters.set(clusters.length);
    await this.keepPlacements(clusters, signal);
    metrics.nodes.set(clusters.reduce((sum, { nodes }) => sum + nodes.all, 0));
    metrics.nodesAlive.set(clusters.reduce((sum, { nodes }) => sum + nodes.alive, 0));
  }

  /** One manager does it where there are several; it is safe to do twice, and only costs. */
  private async keepPlacements(
    clusters: readonly { readonly name: string }[],
    signal: AbortSignal,
  ): Promise<void> {
    const { services, caretaker, logger } = this.deps;
    if (caretaker !== undefined && !(await caretaker.isElected(signal))) return;
    for (const { name } of clusters) {
      try {
        await services.placements.upkeep.run(services.views.of(name), signal);
      } catch (error) {
        if (signal.aborted && isAbort(error)) throw error;
        // One cluster's trouble must not keep the others from their groups.
        logger.warn('a placement could not be looked after, trying again later', {
          cluster: name,
          err: error,
        });
      }
    }
  }

  async longRound(signal: AbortSignal): Promise<void> {
    const { services, caretaker, logger } = this.deps;
    await services.contact.answered(signal);
    for (const { name } of await services.clusters.list(signal)) {
      const view = services.views.of(name);
      const versions = await services.retention.trim(view, signal);
      const swept = await services.sweep.run(view, signal);
      await services.placements.upkeep.sweep(view, signal);
      logger.debug('swept', { cluster: name, versions, ...swept });
    }
    await caretaker?.run(signal);
  }
}
