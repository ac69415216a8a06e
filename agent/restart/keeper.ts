// Restarts influxd when something waits for it: once for all that comes together, and not more often than it may. Where it
// can't, it says why in the words of what is pending.
import { isAbort } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Logger } from '../../shared/log/logger.js';
import type { TickReport } from '../sync/port.js';
import type { InfluxdSwitch } from './influxd-switch.js';
import type { RestartOutcome, RestartProcedure } from './procedure.js';
import { offlineItems } from './procedure.js';

export interface RestartKeeperDeps {
  readonly procedure: Pick<RestartProcedure, 'run' | 'recover' | 'isInterrupted'>;
  /** Undefined where `influxdb.restart` is off: nothing is restarted by itself. */
  readonly influxd: InfluxdSwitch | undefined;
  /** `influxdb.restart-interval`. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The words of what is pending may have changed. */
  readonly onNews: () => void;
}

/** Ten users are created in a moment, and are to cost one restart: until nothing new has come for so long. */
const QUIET_MS = 2_000;
/** Who creates users without end gets them all the same. */
const LONGEST_QUIET_MS = 30_000;

/** While another node restarts or is down: three small requests, and jitter, so that not all come for the lock at once. */
const WAIT_MS = 500;
const WAIT_JITTER_MS = 500;
/** After a failure: a restart cuts queries, and should not be tried in vain all the time. */
const FAILURE_PAUSE_MS = 60_000;

/** The words of what is pending. */
const SOON = 'influxd is restarted for it soon';
const OFF =
  'restart is off: run `clusterflux agent apply --restart`, or set influxdb.restart; or stop influxd, run `clusterflux agent sync --offline`, start it';

/** Nothing is waited for so long in earnest. */
const LONG_MS = 3_600_000;

export class RestartKeeper {
  readonly name = 'restarts';
  readonly phase = 'workers';
  /** What needs a restart, as one text that changes when that does; empty: nothing. */
  private wanted = '';
  private changedMs = 0;
  private words: string;
  private wake: (() => void) | undefined;
  /** Not before (monotonic). */
  private allowedMs = 0;
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly deps: RestartKeeperDeps) {
    this.words = deps.influxd === undefined ? OFF : SOON;
  }

  /** Runs until the signal is aborted; an influxd that a crash left stopped is started first of all. */
  start(signal: AbortSignal): Promise<void> {
    this.running = this.runForever(signal);
    return this.running;
  }

  /** An influxd that is down is given its start before the agent ends. */
  async stop(): Promise<void> {
    await this.running.catch(() => undefined); // told by `start`
  }

  /** To be called with each report of the sync loop; gives it back with the words of the restarts in it. */
  explained(report: TickReport): TickReport {
    const items = offlineItems(report);
    // A report that ended early (nobody answers) says nothing about what is wanted.
    if (report.inStep || items.length > 0) this.want(items.map(({ object }) => object).join('\n'));
    if (items.length === 0) return report;
    const remedy = this.words;
    const pending = report.pending.map((item) => (item.needsOffline ? { ...item, remedy } : item));
    return { ...report, pending };
  }

  private want(wanted: string): void {
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    this.changedMs = this.deps.clock.monotonicMs();
    this.wake?.();
  }

  private async runForever(signal: AbortSignal): Promise<void> {
    const { procedure, influxd, clock } = this.deps;
    if (influxd === undefined) return this.sayInterrupted();
    try {
      await procedure.recover(influxd, signal);
      while (!signal.aborted) {
        await this.untilQuiet(signal);
        await this.untilAllowed(signal);
        const outcome = await procedure.run(influxd, signal);
        this.note(outcome);
        if (outcome.kind !== 'waits') continue;
        await clock.sleep(WAIT_MS + Math.random() * WAIT_JITTER_MS, signal);
      }
    } catch (error) {
      if (!isAbort(error) || !signal.aborted) throw error;
    }
  }

  /** Restarts were switched off in the middle of one: only a person knows how this influxd is started. */
  private async sayInterrupted(): Promise<void> {
    if (!(await this.deps.procedure.isInterrupted())) return;
    this.deps.logger.error('influxd was stopped for a restart that did not end', {
      reason: 'influxdb.restart is off now',
      remedy: 'start influxd where it does not run, then run `clusterflux agent apply --restart`',
    });
  }

  /** Something is wanted, and has been the same for a while. */
  private async untilQuiet(signal: AbortSignal): Promise<void> {
    const { clock } = this.deps;
    while (this.wanted === '') await this.change(LONG_MS, signal);
    const endMs = clock.monotonicMs() + LONGEST_QUIET_MS;
    for (;;) {
      const untilMs = Math.min(this.changedMs + QUIET_MS, endMs);
      const restMs = untilMs - clock.monotonicMs();
      if (restMs <= 0) return;
      await this.change(restMs, signal);
    }
  }

  private async untilAllowed(signal: AbortSignal): Promise<void> {
    const waitMs = this.allowedMs - this.deps.clock.monotonicMs();
    if (waitMs <= 0) return;
    if (this.words === SOON) {
      this.say(`influxd was restarted a moment ago; again in ${Math.ceil(waitMs / 1000)} s`);
    }
    await this.deps.clock.sleep(waitMs, signal);
  }

  /** Until what is wanted changes, or `ms` are over. Throws `aborted`. */
  private async change(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.wake = () => {
      woken.abort();
    };
    // Woken or stopped: both end the pause, and only the latter is for others.
    await this.deps.clock
      .sleep(ms, AbortSignal.any([woken.signal, signal]))
      .catch((error: unknown) => {
        if (signal.aborted) throw error;
      });
    this.wake = undefined;
  }

  private note(outcome: RestartOutcome): void {
    const { clock, intervalMs, logger } = this.deps;
    const pauseFor = (ms: number) => {
      this.allowedMs = clock.monotonicMs() + ms;
    };
    if (outcome.kind === 'nothing' || outcome.kind === 'restarted') this.wanted = '';
    switch (outcome.kind) {
      case 'nothing':
        return;
      case 'waits':
        this.say(outcome.why);
        return;
      case 'failed':
        logger.error('restarting influxd failed, trying again later', { reason: outcome.why });
        pauseFor(Math.max(intervalMs, FAILURE_PAUSE_MS));
        this.say(`restarting influxd failed: ${outcome.why}`);
        return;
      case 'restarted':
        logger.info('influxd was restarted', { objects: outcome.objects.length });
        pauseFor(intervalMs);
        this.say(SOON);
    }
  }

  private say(words: string): void {
    if (words === this.words) return;
    this.words = words;
    if (words !== SOON) this.deps.logger.info('a restart of influxd waits', { reason: words });
    this.deps.onNews();
  }
}
