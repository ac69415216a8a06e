// Restarts the local influxd for what no statement can set: under a lock of the cluster, never while another member is down,
// with meta.db written in between. Whatever goes wrong after influxd was stopped, influxd is started again.
import { AppError, isAbort } from '../../shared/errors/app-error.js';
import { reached } from '../../shared/failpoint/failpoint.js';
import { createBackoff } from '../../shared/lifecycle/backoff.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { describeKey } from '../../shared/meta/diff.js';
import type { ClusterLocks } from '../manager-api/cluster-locks.js';
import type { PendingItem, Reconciler, TickMode, TickReport } from '../sync/port.js';
import { LIVE_MODE } from '../sync/port.js';
import type { HeldLock } from './held-lock.js';
import { takeLock } from './held-lock.js';
import type { InfluxdSwitch } from './influxd-switch.js';
import { whyNotNow, whyTaken } from './members.js';
import type { OneRestartDeps } from './one-restart.js';
import { isManagerAway, OneRestart } from './one-restart.js';
import type { RestartWriter } from './restart-writer.js';

export interface RestartDeps extends OneRestartDeps {
  readonly cluster: string;
  /** The uid of this agent, which holds the lock. */
  readonly holder: string;
  readonly nodeId: () => number | undefined;
  readonly reconciler: Pick<Reconciler, 'tick'>;
  /** Asks the managers for the newest version. */
  readonly refresh: (signal: AbortSignal) => Promise<unknown>;
  /** The one that the reconciler's offline ticks write with. */
  readonly writer: Pick<RestartWriter, 'arm' | 'disarm'>;
  readonly locks: ClusterLocks;
  /** Undefined: nothing answers. */
  readonly ping: (signal?: AbortSignal) => Promise<unknown>;
  readonly clock: Clock;
  /** Told how a restart that was begun in earnest has ended. */
  readonly onOutcome: (outcome: RestartResult) => void;
}

export type RestartOutcome =
  /** Nothing waits for a restart. */
  | { readonly kind: 'nothing' }
  /** Not now; `why` is a sentence for people. */
  | { readonly kind: 'waits'; readonly why: string }
  | RestartResult;

export type RestartResult =
  | { readonly kind: 'failed'; readonly why: string }
  /** `objects`: what was set, e.g. `user alice`. */
  | { readonly kind: 'restarted'; readonly objects: readonly string[] };

/** Of all nodes of a cluster one at a time has it. */
const LOCK_NAME = 'influxd-restart';
/** A node that dies with the lock keeps the others waiting for so long. */
const LOCK_TTL_MS = 30_000;

const OFFLINE: TickMode = { push: true, pull: true, dryRun: false, offline: true };

/** A supervisor may be quick, or influxd change its file while it stops; then it is better to say so than to go on. */
const MAX_STOPS = 3;
/** Somebody writes at the same moment: nothing was stopped, and it is looked at again. */
const MAX_LOOKS = 10;
/** Before it is looked at again; a supervisor that counts restarts has its peace. */
const PAUSE_MS = 1_000;

/** Looks until what was written is seen, and the node in step: a few ticks, each as long as the statements that it runs. */
const SETTLE_TICKS = 20;
const SETTLE_PAUSE_MS = 100;

/** An influxd that would not stop may answer for a moment, and end then. */
const STEADY_MS = 5_000;

const START_BACKOFF = { initialMs: 1_000, maxMs: 30_000 };

export class RestartProcedure {
  private queue: Promise<unknown> = Promise.resolve();

  constructor(private readonly deps: RestartDeps) {}

  /** Once; a second call waits for the first. Throws AppError `aborted`, and what only a defect can be. */
  run(influxd: InfluxdSwitch, signal: AbortSignal): Promise<RestartOutcome> {
    const next = this.queue.then(async () => {
      const outcome = await this.outcomeOf(influxd, signal);
      if (outcome.kind === 'failed' || outcome.kind === 'restarted') this.deps.onOutcome(outcome);
      return outcome;
    });
    this.queue = next.catch(() => undefined); // its caller has the error
    return next;
  }

  /** A restart was begun by an agent that has died since, and nobody has ended it. */
  isInterrupted(): Promise<boolean> {
    return this.deps.note.isThere();
  }

  /** After a crash: starts the influxd that an earlier run left stopped. True where there was something to do. */
  async recover(influxd: InfluxdSwitch, signal: AbortSignal): Promise<boolean> {
    if (!(await this.deps.note.isThere())) return false;
    if (!(await this.isSteady(signal))) {
      this.deps.logger.warn('influxd was stopped for a restart that did not end; it is started');
      await this.startAgain(influxd, { signal, isToLast: false });
    }
    await this.deps.note.remove();
    await this.giveLockBack(signal);
    return true;
  }

  /** What died held the lock, as this node; the others need not wait for its TTL. */
  private async giveLockBack(signal: AbortSignal): Promise<void> {
    const { cluster, holder, locks, logger } = this.deps;
    try {
      await locks.release(cluster, { name: LOCK_NAME, holder }, signal);
    } catch (error) {
      if (isAbort(error) || signal.aborted || !(error instanceof AppError)) throw error;
      // No manager answers, or this agent is not registered yet: then its TTL ends it.
      logger.debug('giving a lock back failed', { lock: LOCK_NAME, err: error });
    }
  }

  /** It answers, and not only because a stop that an earlier run began has not come to its end yet. */
  private async isSteady(signal: AbortSignal): Promise<boolean> {
    const { clock, ping } = this.deps;
    if ((await ping(signal)) === undefined) return false;
    await clock.sleep(STEADY_MS, signal);
    return (await ping(signal)) !== undefined;
  }

  private async outcomeOf(influxd: InfluxdSwitch, signal: AbortSignal): Promise<RestartOutcome> {
    try {
      return await this.underLock(influxd, signal);
    } catch (error) {
      if (isAbort(error) || signal.aborted) throw error;
      if (!(error instanceof AppError)) throw error;
      if (isManagerAway(error)) return { kind: 'waits', why: error.message };
      return { kind: 'failed', why: error.message };
    }
  }

  private async underLock(influxd: InfluxdSwitch, signal: AbortSignal): Promise<RestartOutcome> {
    const { cluster, holder, locks } = this.deps;
    const first = await this.look(signal);
    if (first.kind !== 'wanted') return first;
    const request = { name: LOCK_NAME, holder, ttlMs: LOCK_TTL_MS };
    const taken = await takeLock({ ...this.deps, request }, signal);
    if (taken.kind === 'taken') {
      return { kind: 'waits', why: whyTaken(await locks.members(cluster, signal), taken.holder) };
    }
    try {
      return await this.attempts(influxd, taken.lock, signal);
    } finally {
      await taken.lock.release();
    }
  }

  private async attempts(
    influxd: InfluxdSwitch,
    lock: HeldLock,
    signal: AbortSignal,
  ): Promise<RestartOutcome> {
    let stops = 0;
    for (let look = 0; look < MAX_LOOKS; look += 1) {
      const found = await this.look(signal);
      if (found.kind !== 'wanted') return found;
      const once = new OneRestart(influxd, this.deps, lock, () => this.whyBlocked(signal));
      const report = await this.once(once, signal);
      if (once.isRefused) return { kind: 'waits', why: once.why };
      if (once.wasStopped) {
        stops += 1;
        if (!once.hasEnded) return { kind: 'failed', why: once.why };
        const left = offlineItems(await this.settle(signal));
        const done = found.items.filter(({ object }) =>
          left.every((item) => item.object !== object),
        );
        if (done.length > 0) return { kind: 'restarted', objects: done.map(nameOfItem) };
        if (stops === MAX_STOPS) return { kind: 'failed', why: whyInVain(once, influxd) };
      } else if (report.outcome !== 'changed') {
        return whyNotWritten(report);
      }
      await this.deps.clock.sleep(PAUSE_MS, signal);
    }
    return { kind: 'waits', why: 'waits: other nodes write all the time' };
  }

  /** What waits for a restart, in the cluster's newest version. */
  private async look(signal: AbortSignal): Promise<Wanted | RestartOutcome> {
    await this.deps.refresh(signal);
    const report = await this.deps.reconciler.tick(LIVE_MODE, signal);
    const items = offlineItems(report);
    if (items.length > 0) return { kind: 'wanted', items };
    const isLooking = report.outcome === 'no-action' || report.outcome === 'changed';
    return isLooking ? { kind: 'nothing' } : { kind: 'waits', why: report.sentence };
  }

  private async whyBlocked(signal: AbortSignal): Promise<string | undefined> {
    const { cluster, locks, nodeId } = this.deps;
    return whyNotNow(await locks.members(cluster, signal), nodeId());
  }

  /** One offline tick, in the middle of which influxd is stopped, or left alone; afterwards it runs in any case. */
  private async once(once: OneRestart, signal: AbortSignal): Promise<TickReport> {
    const { writer, reconciler } = this.deps;
    writer.arm((whenStopped, limit) => once.stop(whenStopped, limit));
    try {
      const report = await reconciler.tick(OFFLINE, signal);
      await reached('agent.restart.written');
      return report;
    } finally {
      writer.disarm();
      if (once.wasStopped) await this.bringBack(once, signal);
    }
  }

  private async bringBack(once: OneRestart, signal: AbortSignal): Promise<void> {
    try {
      await this.startAgain(once.influxd, { signal, isToLast: !once.hasEnded });
      await this.deps.note.remove();
    } finally {
      this.deps.onRestarting(false);
    }
  }

  /**
   * Until it answers, however long that takes: nothing else is as urgent. Throws `aborted`; a start is then under way, and the
   * note stays for the next agent.
   */
  private async startAgain(
    influxd: InfluxdSwitch,
    { signal, isToLast }: { readonly signal: AbortSignal; readonly isToLast: boolean },
  ): Promise<void> {
    const { clock, logger } = this.deps;
    const backoff = createBackoff(START_BACKOFF);
    for (;;) {
      try {
        await influxd.start(signal);
        if (isToLast && !(await this.isSteady(signal))) continue;
        return;
      } catch (error) {
        if (isAbort(error) || signal.aborted) throw error;
        logger.error('influxd was stopped and does not start, trying again', { err: error });
      }
      await clock.sleep(backoff.nextDelayMs(), signal);
    }
  }

  /** What was written is seen in memory, and goes into the base; the report of the last look. */
  private async settle(signal: AbortSignal): Promise<TickReport> {
    const { reconciler, clock } = this.deps;
    let report = await reconciler.tick(LIVE_MODE, signal);
    for (let tick = 1; tick < SETTLE_TICKS && !report.inStep; tick += 1) {
      await clock.sleep(SETTLE_PAUSE_MS, signal);
      report = await reconciler.tick(LIVE_MODE, signal);
    }
    return report;
  }
}

interface Wanted {
  readonly kind: 'wanted';
  readonly items: readonly PendingItem[];
}

/** An offline tick that left influxd alone. */
function whyNotWritten({ outcome, sentence }: TickReport): RestartOutcome {
  if (outcome === 'paused' || outcome === 'waiting') return { kind: 'waits', why: sentence };
  return { kind: 'failed', why: `meta.db was not written: ${sentence}` };
}

/** What only an influxd that is stopped can be given. */
export function offlineItems({ pending }: TickReport): readonly PendingItem[] {
  return pending.filter(({ needsOffline }) => needsOffline === true);
}

function nameOfItem({ object }: PendingItem): string {
  return describeKey(object);
}

function whyInVain({ why }: OneRestart, { how }: InfluxdSwitch): string {
  const remedy =
    how === 'signal'
      ? '; give the supervisor of influxd a pause (systemd: RestartSec=2), or use influxdb.restart = "command"'
      : '';
  return `${why}; tried ${MAX_STOPS} times${remedy}`;
}
