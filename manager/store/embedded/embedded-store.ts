// The embedded store: the store port in a data directory, for one manager without etcd. What it answered is fsynced.
// It refuses a directory that another process holds, a format that it does not know, and damage that no crash explains.
import { AppError, messageOf } from '../../../shared/errors/app-error.js';
import { systemClock, type Clock } from '../../../shared/lifecycle/clock.js';
import { lockDirectory, type DirectoryLock } from '../../../shared/lifecycle/directory-lock.js';
import type { Logger } from '../../../shared/log/logger.js';
import { Engine } from '../memory/engine.js';
import { EngineStore, type EngineStoreDeps } from '../memory/engine-store.js';
import type { Store } from '../port.js';
import { CommitLog } from './commit-log.js';
import { openAppendFile, type OpenAppendFile } from './files.js';
import { recover } from './recovery.js';

export interface EmbeddedStoreOptions {
  /** Made where it is missing. */
  readonly directory: string;
  readonly logger: Logger;
  /** Decides when leases end; the system's clock where absent. */
  readonly clock?: Clock;
  /** A log that grows larger is replaced by a snapshot and a new log; 16 MiB where absent. */
  readonly maxLogBytes?: number;
  /** Deadline of a call that waits for the disk; 5 s where absent. */
  readonly timeoutMs?: number;
  /** Tests put a failing disk in its place. */
  readonly openFile?: OpenAppendFile;
}

/** Large enough that snapshots are rare, small enough that a start reads it in a fraction of a second. */
const DEFAULT_MAX_LOG_BYTES = 16 * 1024 * 1024;

/**
 * Locks the directory, reads what it holds, and gives each lease one full TTL. Throws AppError `already-running`,
 * `state-unwritable` or `store-format-unknown`.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  const { directory } = options;
  const lock = await lockDirectory(directory, { what: "the manager's data directory" });
  try {
    return await openLocked(options, lock);
  } catch (error) {
    await lock.release();
    if (error instanceof AppError) throw error;
    throw new AppError(
      'state-unwritable',
      `opening the manager's data directory ${directory} failed: ${messageOf(error)}; check its owner, permissions and disk`,
      { cause: error, details: { path: directory } },
    );
  }
}

async function openLocked(options: EmbeddedStoreOptions, lock: DirectoryLock): Promise<Store> {
  const { directory, logger } = options;
  const clock = options.clock ?? systemClock();
  const engine = new Engine();
  const end = await recover(directory, engine, clock.monotonicMs());
  const log = await CommitLog.open(
    {
      directory,
      logger,
      openFile: options.openFile ?? openAppendFile,
      captureState: () => engine.state(),
      durableRevision: engine.revision,
      maxLogBytes: options.maxLogBytes ?? DEFAULT_MAX_LOG_BYTES,
    },
    end,
  );
  const { timeoutMs } = options;
  return new EmbeddedStore(
    {
      engine,
      clock,
      location: directory,
      journal: log,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    },
    lock,
  );
}

class EmbeddedStore extends EngineStore {
  constructor(
    deps: EngineStoreDeps,
    private readonly lock: DirectoryLock,
  ) {
    super(deps);
  }

  override async close(): Promise<void> {
    try {
      await super.close();
    } finally {
      await this.lock.release();
    }
  }
}
