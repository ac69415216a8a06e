// One stop of influxd within the restart procedure: the note, the last looks, the stop itself, and what came of it.
import { AppError, isAbort, isAppError } from '../../shared/errors/app-error.js';
import { reached } from '../../shared/failpoint/failpoint.js';
import type { Logger } from '../../shared/log/logger.js';
import type { HeldLock } from './held-lock.js';
import type { InfluxdSwitch } from './influxd-switch.js';
import type { RestartNote } from './restart-note.js';

export interface OneRestartDeps {
  readonly note: RestartNote;
  /** Told when influxd is about to be stopped, and when it answers again. */
  readonly onRestarting: (isRestarting: boolean) => void;
  readonly logger: Logger;
}

export class OneRestart {
  /** From the moment in which it was told to stop. */
  wasStopped = false;
  hasEnded = false;
  /** Something stood against it before influxd was touched. */
  isRefused = false;
  /** Why meta.db was not written. */
  why = 'influxd changed meta.db while it was being stopped';

  constructor(
    readonly influxd: InfluxdSwitch,
    private readonly deps: OneRestartDeps,
    private readonly lock: HeldLock,
    private readonly whyBlocked: () => Promise<string | undefined>,
  ) {}

  /** Throws AppError `influxd-running`, which tells the reconciler that nothing was written; `aborted`. */
  async stop(whenStopped: () => void, signal: AbortSignal): Promise<void> {
    try {
      await this.deps.note.write();
      const whenEnded = (again?: string) => {
        this.hasEnded = true;
        if (again !== undefined) throw new AppError('influxd-running', again);
        whenStopped();
      };
      await this.influxd.stop({ beforeStop: () => this.beforeStop(signal), whenEnded }, signal);
      await reached('agent.restart.stopped');
    } catch (error) {
      if (!this.wasStopped) await this.deps.note.remove();
      if (isManagerAway(error)) this.isRefused = true;
      if (isAbort(error) || !(error instanceof AppError)) throw error;
      this.why = error.message;
      throw new AppError('influxd-running', error.message, { cause: error });
    }
  }

  /** The fence last: nobody else restarts from here on for as long as the lock lasts. */
  private async beforeStop(signal: AbortSignal): Promise<void> {
    const { logger, onRestarting } = this.deps;
    const why = await this.whyBlocked();
    const isHeld = why === undefined && (await this.lock.renew(signal));
    if (!isHeld) {
      this.isRefused = true;
      throw new AppError('influxd-running', why ?? 'waits: the lock of the cluster was lost');
    }
    await reached('agent.restart.noted');
    this.wasStopped = true;
    onRestarting(true);
    logger.info('stopping influxd, to write what no statement can set', { how: this.influxd.how });
  }
}

/** Without a manager nobody can say that no other node is down. */
export function isManagerAway(error: unknown): boolean {
  return isAppError(error, 'manager-unreachable', 'manager-invalid');
}
