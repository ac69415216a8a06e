// Keeps copies of this node's own meta.db while all is well, for `agent restore`. It keeps none while the reconciler
// distrusts what it sees: a fresh file after a loss must not push the good ones out.
import { isAbort } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { repeat } from '../../shared/lifecycle/repeat.js';
import type { Logger } from '../../shared/log/logger.js';
import type { MetaBackups } from '../influxd/meta-backups.js';
import type { MetaFile } from '../influxd/port.js';

export interface BackupKeeperDeps {
  readonly backups: Pick<MetaBackups, 'save'>;
  readonly readFile: (signal?: AbortSignal) => Promise<MetaFile>;
  /** A text that changes when the local metadata does; undefined while it must not be kept. */
  readonly content: () => string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A restore a minute behind is one that the cluster's schema makes whole; only shard groups could be missing. */
const INTERVAL_MS = 60_000;

export class BackupKeeper {
  readonly name = 'backups';
  readonly phase = 'workers';
  private kept: string | undefined;

  constructor(private readonly deps: BackupKeeperDeps) {}

  /** Runs until the signal is aborted; trouble is logged and tried again. */
  start(signal: AbortSignal): Promise<void> {
    const { clock } = this.deps;
    return repeat(() => this.keep(signal), { intervalMs: INTERVAL_MS, clock, signal });
  }

  private async keep(signal: AbortSignal): Promise<void> {
    const { backups, clock, content, logger, readFile } = this.deps;
    const now = content();
    if (now === undefined || now === this.kept) return;
    try {
      const file = await readFile(signal);
      if (file.kind !== 'found') return;
      await backups.save(file.data, new Date(clock.nowMs()));
      this.kept = now;
    } catch (error) {
      if (isAbort(error)) throw error;
      logger.warn('keeping a copy of meta.db failed, trying again in a minute', { err: error });
    }
  }
}
