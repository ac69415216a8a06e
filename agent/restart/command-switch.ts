// Stops and starts influxd by the commands of the configuration. That it is stopped is looked at, not believed.
import { AppError } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { RunState } from '../influxd/stopped.js';
import type { InfluxdSwitch, StopHooks } from './influxd-switch.js';
import {
  COMMAND_DEADLINE_MS,
  LOOK_MS,
  START_DEADLINE_MS,
  STOP_DEADLINE_MS,
} from './influxd-switch.js';
import { runCommand } from './run-command.js';
import { untilAnswers } from './until-answers.js';

export interface CommandSwitchOptions {
  readonly stopCommand: string;
  readonly startCommand: string;
  /** The output of the last command; a start command that leaves influxd behind writes on into it. */
  readonly outputFile: string;
  /** Whether influxd is stopped; `others`: influxds that it is not. */
  readonly runState: (others: ReadonlySet<number>) => Promise<RunState>;
  /** Each influxd that runs on this meta directory, or may. */
  readonly processes: () => Promise<readonly RunState[]>;
  readonly ping: (signal?: AbortSignal) => Promise<unknown>;
  readonly clock: Clock;
}

export function commandSwitch(options: CommandSwitchOptions): InfluxdSwitch {
  return new CommandSwitch(options);
}

class CommandSwitch implements InfluxdSwitch {
  readonly how = 'command';

  constructor(private readonly options: CommandSwitchOptions) {}

  async stop({ beforeStop, whenEnded }: StopHooks, signal: AbortSignal): Promise<void> {
    const { stopCommand: command, outputFile } = this.options;
    const others = await this.findOthers();
    await beforeStop();
    const end = await runCommand({ command, outputFile, deadlineMs: COMMAND_DEADLINE_MS, signal });
    if (end.kind === 'failed') throw notStopped(`influxdb.stop-command failed: ${end.why}`);
    await this.untilStopped(others, signal);
    whenEnded();
  }

  /**
   * influxds of other users, whose directory can't be seen: where ours is seen beside them, they are others. Throws AppError
   * `influxd-running` where nobody could tell afterwards which one has ended.
   */
  private async findOthers(): Promise<ReadonlySet<number>> {
    const states = await this.options.processes();
    const unseen = states.flatMap((state) =>
      state.kind === 'unknown' && state.pid !== undefined ? [state.pid] : [],
    );
    if (states.some(({ kind }) => kind === 'running')) return new Set(unseen);
    // The only one is ours, and has to be gone afterwards.
    if (unseen.length <= 1) return new Set();
    throw notStopped(
      `${unseen.length} influxds of other users run here, and which one is this agent's can't be seen; run the agent as influxd's user or as root`,
    );
  }

  /** A command may return before influxd has ended. */
  private async untilStopped(others: ReadonlySet<number>, signal: AbortSignal): Promise<void> {
    const { clock, runState } = this.options;
    const endMs = clock.monotonicMs() + STOP_DEADLINE_MS;
    for (;;) {
      const state = await runState(others);
      if (isStopped(state)) return;
      if (clock.monotonicMs() >= endMs) {
        const seconds = STOP_DEADLINE_MS / 1000;
        throw notStopped(
          `influxd is not stopped ${seconds} s after influxdb.stop-command succeeded (${whyOf(state)})`,
        );
      }
      await clock.sleep(LOOK_MS, signal);
    }
  }

  async start(signal: AbortSignal): Promise<void> {
    const { startCommand: command, outputFile, ping } = this.options;
    const isDone = async () => (await ping(signal)) !== undefined;
    const deadlineMs = COMMAND_DEADLINE_MS;
    const end = await runCommand({ command, outputFile, deadlineMs, isDone, signal });
    // An influxd that answers was started, whatever the command thinks of it.
    if (end.kind === 'failed' && !(await isDone())) {
      throw new AppError('influxd-unreachable', `influxdb.start-command failed: ${end.why}`, {
        retryable: true,
      });
    }
    await untilAnswers(this.options, START_DEADLINE_MS, signal);
  }
}

/** Where processes are hidden, a stop command that succeeded and two ports that refuse are as good as a person's word. */
function isStopped(state: RunState): boolean {
  return state.kind === 'stopped' || (state.kind === 'unknown' && state.isHidden === true);
}

function whyOf(state: RunState): string {
  return state.kind === 'stopped' ? '' : state.why;
}

function notStopped(why: string): AppError {
  return new AppError('influxd-running', why);
}
