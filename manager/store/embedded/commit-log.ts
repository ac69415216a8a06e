// The log: makes commits durable in order, many with one fsync, and starts a new generation when it has grown.
// After a write or fsync that failed it refuses everything: nobody can say any more what is on the disk.
import { rm } from 'node:fs/promises';
import { AppError, isAbort, messageOf } from '../../../shared/errors/app-error.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { Commit, EngineState } from '../memory/engine.js';
import type { Journal } from '../memory/engine-store.js';
import { filePath, listFiles, type AppendFile, type OpenAppendFile } from './files.js';
import { encodeFrame } from './frame.js';
import { encodeCommit } from './records.js';
import { createLog, type LogEnd } from './recovery.js';
import { writeSnapshot } from './snapshot-file.js';

export interface CommitLogDeps {
  readonly directory: string;
  readonly openFile: OpenAppendFile;
  readonly logger: Logger;
  /** The state with everything appended so far; called between two commits. */
  readonly captureState: () => EngineState;
  /** Revision up to which the recovered state is on disk. */
  readonly durableRevision: number;
  /** A log larger than this is followed by a snapshot and a new log. */
  readonly maxLogBytes: number;
}

/** Commits that reach the disk with one write and one fsync. */
class Batch {
  readonly records: Buffer[] = [];
  bytes = 0;
  revision = 0;
  readonly done: Promise<void>;
  resolve!: () => void;
  reject!: (error: AppError) => void;

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Whoever appended hears of a failure through his own wait; a batch that nobody waits for any more is no error.
    this.done.catch(() => undefined);
  }

  add(commit: Commit): void {
    const record = encodeCommit(commit);
    this.records.push(record);
    this.bytes += record.length;
    this.revision = commit.revision;
  }
}

export class CommitLog implements Journal {
  /** What arrived since the batch that is being written was begun. */
  private waiting: Batch | undefined;
  private writing: Promise<void> | undefined;
  private snapshotting: Promise<void> | undefined;
  private readonly closing = new AbortController();
  private durable: number;
  private failed: AppError | undefined;

  private constructor(
    private readonly deps: CommitLogDeps,
    private file: AppendFile,
    private generation: number,
    private size: number,
  ) {
    this.durable = deps.durableRevision;
  }

  /** Opens the log where recovery found its end, cuts off a torn write, and syncs what a killed process may have left unsynced. */
  static async open(deps: CommitLogDeps, end: LogEnd): Promise<CommitLog> {
    const path = filePath(deps.directory, 'log', end.generation);
    const file = await deps.openFile(path);
    try {
      if (end.isTorn) {
        deps.logger.warn('the end of the log was a write that never finished; it was cut off', {
          path,
          bytes: end.wholeBytes,
        });
        await file.truncate(end.wholeBytes);
      }
      await file.sync();
    } catch (error) {
      await file.close();
      throw error;
    }
    return new CommitLog(deps, file, end.generation, end.wholeBytes);
  }

  get failure(): AppError | undefined {
    return this.failed;
  }

  get durableRevision(): number {
    return this.durable;
  }

  append(commit: Commit): Promise<void> {
    if (this.failed !== undefined) return Promise.reject(this.failed);
    this.waiting ??= new Batch();
    this.waiting.add(commit);
    const { done } = this.waiting;
    this.writing ??= this.writeWaiting();
    return done;
  }

  async flushed(): Promise<void> {
    if (this.waiting !== undefined) await this.waiting.done;
    else await this.writing;
    if (this.failed !== undefined) throw this.failed;
  }

  /** Waits for what was appended, ends an unfinished snapshot, and closes the file. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.writing;
    await this.snapshotting;
    await this.file.close();
  }

  private async writeWaiting(): Promise<void> {
    // A turn of the event loop lets transactions that arrive together share the first fsync as well.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting !== undefined) {
      const batch = this.waiting;
      this.waiting = undefined;
      await this.writeBatch(batch);
    }
    this.writing = undefined;
  }

  private async writeBatch(batch: Batch): Promise<void> {
    // Taken before anything is awaited, while nothing waits behind this batch: so the state is exactly what the logs hold
    // once the batch is written, and where the next log goes on.
    const state = this.isLarge(batch) ? this.deps.captureState() : undefined;
    try {
      const frame = encodeFrame(Buffer.concat(batch.records));
      await this.file.write(frame, this.size);
      await this.file.sync();
      this.size += frame.length;
      if (state !== undefined) await this.startGeneration(state);
    } catch (error) {
      this.fail(error, batch);
      return;
    }
    this.durable = batch.revision;
    batch.resolve();
  }

  private isLarge(batch: Batch): boolean {
    const isBusy = this.snapshotting !== undefined || this.closing.signal.aborted;
    return !isBusy && this.size + batch.bytes > this.deps.maxLogBytes;
  }

  /** Goes on in a new log at once, and writes the state that it starts from in the background. */
  private async startGeneration(state: EngineState): Promise<void> {
    const { directory, openFile } = this.deps;
    const generation = this.generation + 1;
    const size = await createLog(directory, generation);
    const file = await openFile(filePath(directory, 'log', generation));
    const old = this.file;
    this.file = file;
    this.generation = generation;
    this.size = size;
    await old.close();
    this.snapshotting = this.snapshot(generation, state).finally(() => {
      this.snapshotting = undefined;
    });
  }

  private async snapshot(generation: number, state: EngineState): Promise<void> {
    const { directory, logger } = this.deps;
    try {
      await writeSnapshot({ directory, generation }, state, this.closing.signal);
      await removeBefore(directory, generation);
    } catch (error) {
      if (isAbort(error)) return;
      // Nothing is lost: the logs from the snapshot before are all there, and the next growth tries again.
      logger.warn('writing a snapshot of the store failed; the log goes on growing', {
        path: directory,
        err: error,
      });
    }
  }

  private fail(cause: unknown, batch: Batch): void {
    const { directory } = this.deps;
    this.failed = new AppError(
      'store-unavailable',
      `writing to the embedded store ${directory} failed: ${messageOf(cause)}; it takes no more writes: make room or replace the disk, then restart the manager`,
      { status: 503, cause },
    );
    batch.reject(
      new AppError(
        'outcome-unknown',
        `writing to the embedded store ${directory} failed in the middle: ${messageOf(cause)}; whether it is on the disk shows after a restart`,
        { status: 503, cause },
      ),
    );
    this.waiting?.reject(this.failed);
    this.waiting = undefined;
  }
}

/** Removes what the snapshot of a generation made unnecessary. */
async function removeBefore(directory: string, generation: number): Promise<void> {
  const { logs, snapshots } = await listFiles(directory);
  for (const old of logs.filter((each) => each < generation)) {
    await rm(filePath(directory, 'log', old), { force: true });
  }
  for (const old of snapshots.filter((each) => each < generation)) {
    await rm(filePath(directory, 'snapshot', old), { force: true });
  }
}
