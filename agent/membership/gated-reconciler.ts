// The reconciler behind the registration: an agent that no manager has accepted pushes, applies and replays nothing.
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Reconciler, TickMode, TickReport } from '../sync/port.js';
import { makeReport } from '../sync/report.js';
import type { Standing } from './membership.js';

/** The reconciler as the loop uses it. */
export interface DueReconciler extends Reconciler {
  readonly nextDueMs: number | undefined;
}

export interface GatedReconcilerDeps {
  readonly inner: DueReconciler;
  readonly standing: () => Standing;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** How long a tick took that was let through. */
  readonly onTick: (durationMs: number) => void;
}

export class GatedReconciler implements DueReconciler {
  private gated: TickReport | undefined;

  constructor(private readonly deps: GatedReconcilerDeps) {}

  get lastReport(): TickReport | undefined {
    return this.gated ?? this.deps.inner.lastReport;
  }

  get nextDueMs(): number | undefined {
    return this.deps.inner.nextDueMs;
  }

  async tick(mode: TickMode, signal: AbortSignal): Promise<TickReport> {
    const gated = this.gate();
    // A dry run changes nothing, and to look is what one wants to do when the gate is closed.
    if (gated !== undefined && !mode.dryRun) {
      this.gated = gated;
      return gated;
    }
    const { inner, clock, onTick } = this.deps;
    const startedMs = clock.monotonicMs();
    const report = await inner.tick(mode, signal);
    onTick(clock.monotonicMs() - startedMs);
    return report;
  }

  private gate(): TickReport | undefined {
    const standing = this.deps.standing();
    switch (standing.kind) {
      case 'member':
        this.gated = undefined;
        return undefined;
      case 'unregistered':
        return report('waiting', 'not registered with a manager yet');
      case 'refused':
        return report('blocked', standing.sentence);
    }
  }
}

function report(outcome: 'waiting' | 'blocked', sentence: string): TickReport {
  return makeReport({ outcome, sentence, version: 0 });
}
