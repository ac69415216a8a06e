// Puts together all that restarts the local influxd: for the agent that runs, and for a command in its place.
import type { Config } from '../../shared/config/config.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Logger } from '../../shared/log/logger.js';
import { describeKey } from '../../shared/meta/diff.js';
import { metaWriterOf } from '../commands/meta-writer-of.js';
import type { InfluxControl } from '../influxd/port.js';
import type { ClusterLocks } from '../manager-api/cluster-locks.js';
import type { Reconciler } from '../sync/port.js';
import { LIVE_MODE } from '../sync/port.js';
import type { InfluxdSwitch, RestartWay } from './influxd-switch.js';
import type { RestartOutcome, RestartResult } from './procedure.js';
import { RestartProcedure } from './procedure.js';
import { openRestartNote } from './restart-note.js';
import { RestartWriter } from './restart-writer.js';
import { configuredSwitch, switchByHand } from './ways.js';

export interface RestartsDeps {
  readonly config: Config;
  readonly uid: string;
  readonly nodeId: () => number | undefined;
  readonly influxd: Pick<InfluxControl, 'ping'>;
  readonly reconciler: Pick<Reconciler, 'tick'>;
  /** Asks the managers for the newest version. */
  readonly refresh: (signal: AbortSignal) => Promise<unknown>;
  /** The one that the reconciler writes meta.db with. */
  readonly writer: RestartWriter;
  readonly locks: ClusterLocks;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onRestarting: (isRestarting: boolean) => void;
  readonly onOutcome: (outcome: RestartResult) => void;
}

/** A restart that a person asks for. */
export interface RestartRequest {
  /** Undefined: as configured. */
  readonly way: RestartWay | undefined;
  readonly dryRun: boolean;
}

export type RestartAnswer =
  | RestartOutcome
  /** A dry run: what would be set. */
  | { readonly kind: 'would-restart'; readonly objects: readonly string[] };

/** So many objects are named before the rest is counted. */
const NAMED_OBJECTS = 5;

/** As one sentence, for events and people. */
export function describeRestart(result: RestartResult): string {
  if (result.kind === 'failed') return `restarting influxd failed: ${result.why}`;
  return `influxd was restarted, for ${listed(result.objects)}`;
}

/** `user a, user b and 8 more`. */
export function listed(objects: readonly string[]): string {
  const named = objects.slice(0, NAMED_OBJECTS).join(', ');
  const rest = objects.length - NAMED_OBJECTS;
  return rest > 0 ? `${named} and ${rest} more` : named;
}

/** The writer of `config`'s influxd for a running agent; made before the reconciler that uses it. */
export function restartWriterOf(
  config: Config,
  influxd: Pick<InfluxControl, 'readFile' | 'readMemory'>,
): RestartWriter {
  return new RestartWriter({
    metaDir: config.influxdb.metaDir,
    // Only a command asks for an offline tick, and only with --offline: a person has said that influxd is stopped.
    plain: metaWriterOf(config, { assumeStopped: true }),
    influxd,
  });
}

export class Restarts {
  readonly procedure: RestartProcedure;
  /** Undefined where `influxdb.restart` is off. */
  readonly configured: InfluxdSwitch | undefined;

  constructor(private readonly deps: RestartsDeps) {
    const { config, uid } = deps;
    this.configured = configuredSwitch(config, this.switchDeps);
    this.procedure = new RestartProcedure({
      ...deps,
      cluster: config.agent.cluster,
      holder: uid,
      ping: (signal) => deps.influxd.ping(signal),
      note: openRestartNote(config.agent.stateDir),
    });
  }

  /** Throws AppError `usage` where nothing says how, `manager-unreachable` for a dry run, `aborted`. */
  async byHand({ way, dryRun }: RestartRequest, signal: AbortSignal): Promise<RestartAnswer> {
    const influxd = switchByHand(this.deps.config, way, this.switchDeps);
    if (dryRun) return this.preview(signal);
    await this.procedure.recover(influxd, signal);
    return this.procedure.run(influxd, signal);
  }

  private async preview(signal: AbortSignal): Promise<RestartAnswer> {
    await this.deps.refresh(signal);
    const { steps } = await this.deps.reconciler.tick({ ...LIVE_MODE, dryRun: true }, signal);
    const objects = steps.flatMap(({ object, needsOffline }) =>
      needsOffline === true && object !== undefined ? [describeKey(object)] : [],
    );
    return objects.length === 0 ? { kind: 'nothing' } : { kind: 'would-restart', objects };
  }

  private get switchDeps() {
    const { influxd, clock } = this.deps;
    return { ping: (signal?: AbortSignal) => influxd.ping(signal), clock };
  }
}
