// Stops influxd by SIGTERM, where its processes are visible from here and somebody else (a container runtime, systemd) starts
// it again. It starts nothing itself and kills nothing.
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { errorCode } from '../influxd/meta-file.js';
import { newInfluxd, parentOf, processNumbers, watchEnd } from '../influxd/process-end.js';
import { findInfluxdProcesses } from '../influxd/processes.js';
import type { InfluxdSwitch, StopHooks } from './influxd-switch.js';
import { START_DEADLINE_MS, STOP_DEADLINE_MS } from './influxd-switch.js';
import { untilAnswers } from './until-answers.js';

export interface SignalSwitchOptions {
  readonly metaDir: string;
  /** Undefined: nothing answers. */
  readonly ping: (signal?: AbortSignal) => Promise<unknown>;
  readonly clock: Clock;
  /** `/proc` but in tests. */
  readonly procDir?: string;
}

export function signalSwitch(options: SignalSwitchOptions): InfluxdSwitch {
  return new SignalSwitch(options);
}

class SignalSwitch implements InfluxdSwitch {
  readonly how = 'signal';
  private readonly procDir: string;

  constructor(private readonly options: SignalSwitchOptions) {
    this.procDir = options.procDir ?? '/proc';
  }

  async stop({ beforeStop, whenEnded }: StopHooks, signal: AbortSignal): Promise<void> {
    const { procDir } = this;
    const pid = await this.find();
    await beforeStop();
    const known = processNumbers(procDir);
    const parent = parentOf(procDir, pid);
    terminate(pid);
    const hasEnded = await watchEnd({
      procDir,
      pid,
      deadlineMs: STOP_DEADLINE_MS,
      signal,
      onEnd: () => {
        const next = newInfluxd(procDir, known, parent);
        whenEnded(next === undefined ? undefined : raceLost(next));
      },
    });
    if (hasEnded) return;
    if (signal.aborted) throw new AppError('aborted', 'the agent stops while it waits for influxd');
    const seconds = STOP_DEADLINE_MS / 1000;
    throw new AppError(
      'influxd-running',
      `influxd (process ${pid}) has not ended ${seconds} s after SIGTERM; look what it hangs on, it is not killed`,
    );
  }

  start(signal: AbortSignal): Promise<void> {
    return untilAnswers(this.options, START_DEADLINE_MS, signal);
  }

  private async find(): Promise<number> {
    const { metaDir } = this.options;
    const states = await findInfluxdProcesses(metaDir, this.procDir);
    const pids = states.flatMap((state) => (state.kind === 'running' ? [state.pid ?? 0] : []));
    const [pid] = pids;
    if (pid !== undefined && pids.length === 1) return pid;
    const why =
      pids.length > 1
        ? `${pids.length} influxd processes are on ${metaDir}`
        : `no influxd process on ${metaDir} is visible here${hiddenBy(states)}`;
    throw new AppError(
      'influxd-running',
      `influxdb.restart is "signal", and ${why}; let the agent share influxd's process namespace, or use influxdb.restart = "command"`,
    );
  }
}

function hiddenBy(states: Awaited<ReturnType<typeof findInfluxdProcesses>>): string {
  const unknown = states.find((state) => state.kind === 'unknown');
  return unknown === undefined ? '' : ` (${unknown.why})`;
}

function raceLost(next: string): string {
  return `influxd was started again (process ${next}) before meta.db could be written`;
}

function terminate(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    // Ended by itself in the same moment: it is seen to have ended next.
    if (errorCode(error) === 'ESRCH') return;
    throw new AppError(
      'influxd-running',
      `sending SIGTERM to influxd (process ${pid}) failed: ${messageOf(error)}; run the agent as influxd's user or as root`,
      { cause: error },
    );
  }
}
