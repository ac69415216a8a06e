// What keeps the reconciler ticking: the meta directory, the long poll and the timer wake it; it never ticks twice at once,
// and a wake during a tick causes one more. Says each new sentence once.
import { isAbort } from '../../shared/errors/app-error.js';
import { sleep } from '../../shared/lifecycle/backoff.js';
import type { Logger } from '../../shared/log/logger.js';
import type { Availability } from '../manager-api/availability.js';
import { pauseAfterLostSwapMs } from './lost-swap.js';
import { watchMeta } from './meta-watch.js';
import type { Reconciler, TickReport } from './port.js';
import { LIVE_MODE } from './port.js';
import type { RemoteView } from './remote-view.js';

/** After a tick that failed or waits for somebody: soon enough that being healed means converged within 5 s. */
const RETRY_MS = 1000;

/** Something may be pending for weeks; healed within 5 s is what is promised. */
const LONGEST_PENDING_MS = 5000;

/** After all managers were tried in vain, they are tried again so often, for ever. */
const POLL_RETRY_MS = 2000;

/** Something was overtaken while it was looked at: at once, but not in circles. */
const AGAIN_MS = 5;

/** The look at what was just done is in nobody's way then: the change is still on its way to the other nodes. */
const CONFIRM_MS = 25;

export interface SyncLoopDeps {
  readonly reconciler: Reconciler;
  readonly remoteView: RemoteView;
  readonly availability: Availability;
  readonly metaDir: string;
  readonly isPollingMeta: boolean;
  /** The longest wait of one poll, in ms. */
  readonly longPollMs: number;
  readonly resyncMs: number;
  readonly logger: Logger;
  readonly nowMs: () => number;
  /** Called after each tick. */
  readonly onReport: (report: TickReport) => void;
}

export class SyncLoop {
  private isAwake = true;
  private wakeSleeper: (() => void) | undefined;
  private poll: AbortController | undefined;
  private pendingSentence = '';
  private pendingLooks = 0;
  private lostSwaps = 0;

  constructor(private readonly deps: SyncLoopDeps) {}

  /** Something may have changed. */
  wake(): void {
    this.isAwake = true;
    this.wakeSleeper?.();
  }

  /** The heartbeat says that the manager behind the waiting read is gone: ask another one. */
  abortPoll(): void {
    this.poll?.abort();
  }

  /** Runs until the signal is aborted, and resolves then. */
  async run(signal: AbortSignal): Promise<void> {
    const { metaDir, isPollingMeta: isPolling, logger } = this.deps;
    await Promise.all([
      this.tickForever(signal),
      this.pollForever(signal),
      this.resyncForever(signal),
      watchMeta({ metaDir, isPolling, onChange: () => this.wake(), logger }, signal),
    ]);
  }

  private async tickForever(signal: AbortSignal): Promise<void> {
    let said = '';
    while (!signal.aborted) {
      this.isAwake = false;
      try {
        const report = await this.deps.reconciler.tick(LIVE_MODE, signal);
        if (report.sentence !== said) this.say(report);
        said = report.sentence;
        this.deps.onReport(report);
        await this.rest(report, signal);
      } catch (error) {
        if (isAbort(error)) return;
        throw error;
      }
    }
  }

  private say(report: TickReport): void {
    const { logger } = this.deps;
    const fields = { outcome: report.outcome, metaVersion: report.version };
    if (report.outcome === 'blocked' || report.outcome === 'failed') {
      logger.error('sync needs attention', { ...fields, reason: report.sentence });
    } else if (report.outcome === 'waiting') {
      logger.warn('sync waits', { ...fields, reason: report.sentence });
    } else logger.info('synced', { ...fields, sentence: report.sentence });
    for (const { direction, text } of report.steps) logger.debug('step', { op: direction, text });
  }

  /** Until something wakes it, or what could not be done is due again. */
  private async rest(report: TickReport, signal: AbortSignal): Promise<void> {
    if (report.isLostSwap === true) return this.restAfterLoss(signal);
    this.lostSwaps = 0;
    if (report.outcome === 'changed') {
      if (report.steps.length > 0) return this.restFor(CONFIRM_MS, signal);
      return this.restFor(AGAIN_MS, signal);
    }
    if (report.outcome !== 'no-action') return this.restFor(RETRY_MS, signal);
    const due = this.deps.reconciler.nextDueMs;
    const retryMs = due === undefined ? this.deps.resyncMs : Math.max(1, due - this.deps.nowMs());
    return this.restFor(Math.min(retryMs, this.pendingMs(report)), signal);
  }

  /** Not ended by what wakes: the version that was lost against wakes all who lost. */
  private async restAfterLoss(signal: AbortSignal): Promise<void> {
    const ms = pauseAfterLostSwapMs(this.lostSwaps);
    this.lostSwaps += 1;
    await sleep(ms, signal).catch(() => undefined);
  }

  /** What is pending may become possible by time alone (a proof, a twin's minute), so it is looked at again, ever more rarely. */
  private pendingMs({ pending, sentence }: TickReport): number {
    const isSame = pending.length > 0 && sentence === this.pendingSentence;
    this.pendingLooks = isSame ? this.pendingLooks + 1 : 0;
    this.pendingSentence = sentence;
    if (pending.length === 0) return this.deps.resyncMs;
    return Math.min(RETRY_MS * 2 ** this.pendingLooks, LONGEST_PENDING_MS);
  }

  private async restFor(ms: number, signal: AbortSignal): Promise<void> {
    if (this.isAwake) return;
    const rest = new AbortController();
    this.wakeSleeper = () => rest.abort();
    // Woken or stopped: both end the rest, and the loop looks which it was.
    await sleep(ms, AbortSignal.any([rest.signal, signal])).catch(() => undefined);
    this.wakeSleeper = undefined;
  }

  private async pollForever(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.poll = new AbortController();
      const both = AbortSignal.any([signal, this.poll.signal]);
      try {
        await this.pollOnce(both);
        this.managerAnswers();
      } catch (error) {
        if (isAbort(error) || both.aborted) continue;
        this.managerIsAway(error);
        await sleep(POLL_RETRY_MS, both).catch(() => undefined);
      }
    }
  }

  /** The first question does not wait: a cluster that does not exist yet is told by an empty answer. */
  private async pollOnce(signal: AbortSignal): Promise<void> {
    const { remoteView, longPollMs } = this.deps;
    const waitMs = remoteView.isKnown ? longPollMs : 0;
    const result = await remoteView.ask(waitMs, signal);
    if (remoteView.receive(result)) this.wake();
    // A cluster that is gone is asked for again with version 0, which waits; no turning in circles.
  }

  private async resyncForever(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await sleep(this.deps.resyncMs, signal);
        if (this.deps.remoteView.isKnown) await this.deps.remoteView.refresh(signal);
      } catch (error) {
        if (isAbort(error)) return;
        this.managerIsAway(error);
      }
      this.wake();
    }
  }

  /** Said once by whoever notices first; a manager that is back may have what the last tick waited for. */
  private managerAnswers(): void {
    const wasAway = this.deps.availability.reason !== undefined;
    this.deps.availability.succeeded('sync');
    if (wasAway) this.wake();
  }

  private managerIsAway(error: unknown): void {
    this.deps.availability.failed('sync', asError(error));
    this.wake();
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
