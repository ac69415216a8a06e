// The reconciler behind the registration: an agent that no manager has accepted pushes, applies and replays nothing.
import type { PauseOrder } from '../../shared/api/orders.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { HeldItem, Reconciler, TickMode, TickReport } from '../sync/port.js';
import { makeReport } from '../sync/report.js';
import type { Standing } from './membership.js';

/** The reconciler as the loop uses it. */
export interface DueReconciler extends Reconciler {
  readonly nextDueMs: number | undefined;
}

/** A reconciler that takes somebody's statements between its ticks. */
export interface StatementReconciler extends DueReconciler {
  around<T extends { readonly hasChanged: boolean }>(
    work: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<{ readonly result: T; readonly report: TickReport | undefined }>;
}

export interface GatedReconcilerDeps {
  readonly inner: StatementReconciler;
  readonly standing: () => Standing;
  /** Set while a person has paused this node or its cluster. */
  readonly pause: () => PauseOrder | undefined;
  /** Why no manager can be used, where that was found out: a wrong token, for one. */
  readonly trouble?: () => string | undefined;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** How long a tick took that was let through. */
  readonly onTick: (durationMs: number) => void;
}

export class GatedReconciler implements StatementReconciler {
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

  /** A closed gate keeps the change on this server, where it waits like any other local change. */
  async around<T extends { readonly hasChanged: boolean }>(
    work: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<{ readonly result: T; readonly report: TickReport | undefined }> {
    if (this.gate() !== undefined) return { result: await work(signal), report: undefined };
    return this.deps.inner.around(work, signal);
  }

  private gate(): TickReport | undefined {
    const standing = this.deps.standing();
    switch (standing.kind) {
      case 'member': {
        const pause = this.deps.pause();
        if (pause !== undefined) return pausedReport(pause, this.held);
        this.gated = undefined;
        return undefined;
      }
      case 'unregistered': {
        const trouble = this.deps.trouble?.();
        const why = trouble === undefined ? '' : `: ${trouble}`;
        return this.report('waiting', `not registered with a manager yet${why}`);
      }
      case 'refused':
        return this.report('blocked', standing.sentence);
    }
  }

  /** What waits for a person waits on. */
  private report(outcome: 'waiting' | 'blocked', sentence: string): TickReport {
    return makeReport({ outcome, sentence, version: 0, held: this.held });
  }

  private get held(): readonly HeldItem[] {
    return this.deps.inner.lastReport?.held ?? [];
  }
}

/** What a paused node says of itself. */
export function pausedReport(
  { scope, by, at, reason }: PauseOrder,
  held: readonly HeldItem[] = [],
): TickReport {
  const what = scope === 'cluster' ? 'the whole cluster is paused' : 'this node is paused';
  const why = reason === '' ? '' : `: ${reason}`;
  const command = scope === 'cluster' ? 'clusterflux resume' : 'clusterflux resume NODE';
  const sentence = `${what} by ${by} since ${at}${why}; nothing is pushed or applied until ${command}`;
  return makeReport({ outcome: 'paused', sentence, version: 0, held });
}
