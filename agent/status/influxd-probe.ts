// Asks the local influxd now and then whether it answers, and which run of it this is. It never judges its metadata.
import { isAbort } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { repeat } from '../../shared/lifecycle/repeat.js';
import type { Logger } from '../../shared/log/logger.js';
import type { InfluxdFacts } from '../manager-api/membership-port.js';

/** What the probe needs of the local influxd. */
export interface ProbedInfluxd {
  ping(signal?: AbortSignal): Promise<{ readonly version: string } | undefined>;
  diagnostics(signal?: AbortSignal): Promise<{ readonly started: string | undefined }>;
}

export interface InfluxdProbeDeps {
  readonly influxd: ProbedInfluxd;
  /** Ids and counters as last seen by the reconciler; undefined before. */
  readonly lineage: () =>
    { readonly clusterId: string; readonly term: string; readonly index: string } | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told after each look; undefined: nothing answers. */
  readonly onLook: (version: string | undefined) => void;
}

/** Often enough that readiness follows a dead influxd within a load balancer's patience, and cheap beside its own work. */
const INTERVAL_MS = 2_000;

/**
 * A restart can fall between two looks. The start time says so, but asking for it (SHOW DIAGNOSTICS) costs influxd more than
 * a ping, and a registry that names the run before for a while does no harm.
 */
const START_AGAIN_MS = 30_000;

export class InfluxdProbe {
  readonly name = 'influxd-probe';
  readonly phase = 'workers';
  private version: string | undefined;
  private started: string | undefined;
  private askedStartMs = 0;
  private hasLooked = false;

  constructor(private readonly deps: InfluxdProbeDeps) {}

  /** Runs until the signal is aborted. */
  start(signal: AbortSignal): Promise<void> {
    return repeat(() => this.look(signal), {
      intervalMs: INTERVAL_MS,
      clock: this.deps.clock,
      signal,
    });
  }

  /** The version that answered last; undefined where nothing did. */
  get answeringVersion(): string | undefined {
    return this.version;
  }

  /** The influxd of this agent, as soon as its ids are known. */
  get facts(): InfluxdFacts | undefined {
    const lineage = this.deps.lineage();
    if (lineage === undefined) return undefined;
    const { clusterId, term, index } = lineage;
    return { clusterId, term, index, started: this.started ?? '' };
  }

  private async look(signal: AbortSignal): Promise<void> {
    const version = (await this.deps.influxd.ping(signal))?.version;
    const isNews = version !== this.version || !this.hasLooked;
    this.hasLooked = true;
    this.version = version;
    if (version === undefined) this.started = undefined;
    else await this.learnStart(signal);
    if (isNews) this.say(version);
    this.deps.onLook(version);
  }

  /** Asks at each look until it is known, then now and then; what is known stays where influxd does not say. */
  private async learnStart(signal: AbortSignal): Promise<void> {
    const nowMs = this.deps.clock.monotonicMs();
    if (this.started !== undefined && nowMs - this.askedStartMs < START_AGAIN_MS) return;
    this.askedStartMs = nowMs;
    this.started = (await this.startOf(signal)) ?? this.started;
  }

  /** Where it may not be asked (no account yet) the time stays unknown, which the registry allows. */
  private async startOf(signal: AbortSignal): Promise<string | undefined> {
    try {
      return (await this.deps.influxd.diagnostics(signal)).started;
    } catch (error) {
      if (isAbort(error)) throw error;
      this.deps.logger.debug('influxd does not say since when it runs', { err: error });
      return undefined;
    }
  }

  private say(version: string | undefined): void {
    if (version === undefined) {
      this.deps.logger.warn('the local influxd does not answer, looking again');
    } else this.deps.logger.info('the local influxd answers', { influxd: version });
  }
}
