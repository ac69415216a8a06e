// Which way of restarting influxd the configuration, or a person, has chosen.
import { join } from 'node:path';
import type { Config } from '../../shared/config/config.js';
import { AppError } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { findInfluxdProcesses } from '../influxd/processes.js';
import { influxdRunState } from '../influxd/stopped.js';
import { commandSwitch } from './command-switch.js';
import type { InfluxdSwitch, RestartWay } from './influxd-switch.js';
import { signalSwitch } from './signal-switch.js';

const PROC = '/proc';

export interface SwitchDeps {
  /** Undefined: nothing answers. */
  readonly ping: (signal?: AbortSignal) => Promise<unknown>;
  readonly clock: Clock;
}

/** In the state directory: what the last stop or start command said. */
const OUTPUT_FILE = 'restart-command.log';

/** The way that `influxdb.restart` says; undefined where it is off. */
export function configuredSwitch(config: Config, deps: SwitchDeps): InfluxdSwitch | undefined {
  const { restart } = config.influxdb;
  return restart === 'off' ? undefined : makeSwitch(config, restart, deps);
}

/**
 * For a restart by hand: the way that was asked for, else the configured one, else the commands where there are some. Throws
 * AppError `usage` where none of these says how.
 */
export function switchByHand(
  config: Config,
  asked: RestartWay | undefined,
  deps: SwitchDeps,
): InfluxdSwitch {
  const { restart, stopCommand, startCommand } = config.influxdb;
  const hasCommands = stopCommand !== undefined && startCommand !== undefined;
  const way = asked ?? (restart === 'off' ? (hasCommands ? 'command' : undefined) : restart);
  if (way !== undefined) return makeSwitch(config, way, deps);
  throw new AppError(
    'usage',
    'influxdb.restart is off and there are no influxdb.stop-command and start-command: set these, or say --restart=signal where a supervisor starts influxd again',
    { status: 400 },
  );
}

function makeSwitch(config: Config, way: RestartWay, deps: SwitchDeps): InfluxdSwitch {
  const { metaDir, url, snapshotAddress, stopCommand, startCommand } = config.influxdb;
  if (way === 'signal') return signalSwitch({ ...deps, metaDir });
  if (stopCommand === undefined || startCommand === undefined) {
    throw new AppError(
      'usage',
      'a restart by commands needs influxdb.stop-command and influxdb.start-command: set both',
      { status: 400 },
    );
  }
  return commandSwitch({
    ...deps,
    stopCommand,
    startCommand,
    outputFile: join(config.agent.stateDir, OUTPUT_FILE),
    runState: (others) => influxdRunState({ url, snapshotAddress, metaDir, others }),
    processes: () => findInfluxdProcesses(metaDir, PROC),
  });
}
