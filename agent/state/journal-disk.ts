// The two files of a journal: loading them, appending to the log, replacing both by a rewrite that any crash may interrupt.
// It knows bytes and generations, not what the records mean.
import { join } from 'node:path';
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import type { JournalFile, JournalFiles } from './journal-files.js';
import type { Damage, ParsedLog, ParsedSnapshot } from './journal-format.js';
import {
  encodeLogHeader,
  encodeSnapshotFile,
  parseLog,
  parseSnapshotFile,
} from './journal-format.js';

/** What the files hold. `cutBytes`: length of an interrupted write that was cut off. */
export interface Loaded {
  readonly snapshot: ParsedSnapshot | undefined;
  readonly log: ParsedLog;
  readonly cutBytes: number;
}

/**
 * The two files. Both carry a generation: a snapshot of generation g holds everything up to the begin of the log of
 * generation g; a log of the generation before is one that a rewrite had not replaced yet, and its content is in the snapshot.
 */
export class JournalDisk {
  readonly logPath: string;
  readonly snapshotPath: string;
  /** Length of the log, all of it durable. */
  logBytes = 0;
  /** False when the files may not be what this object thinks they are. */
  isIntact = true;
  private generation = 0;
  private file: JournalFile | undefined;

  constructor(
    private readonly directory: string,
    name: string,
    private readonly files: JournalFiles,
  ) {
    this.logPath = join(directory, `${name}.log`);
    this.snapshotPath = join(directory, `${name}.json`);
  }

  async load(): Promise<Loaded> {
    try {
      return await this.loadFiles();
    } catch (error) {
      throw error instanceof AppError ? error : this.failure(messageOf(error), error);
    }
  }

  async append(line: Buffer): Promise<void> {
    const file = this.opened();
    try {
      await file.write(line, this.logBytes);
    } catch (error) {
      await this.takeBack(file);
      throw this.failure(messageOf(error), error);
    }
    try {
      await file.sync();
    } catch (error) {
      // After a failed fsync the kernel may have dropped the pages and reports success the next time.
      this.isIntact = false;
      throw this.failure(messageOf(error), error);
    }
    this.logBytes += line.length;
  }

  /**
   * Both new files are durable before the first rename, and the snapshot's rename is durable before the log's: a log
   * without the snapshot that it continues would be a loss.
   */
  async rewrite(state: unknown): Promise<void> {
    const generation = this.generation + 1;
    const header = encodeLogHeader(generation);
    const snapshot = encodeSnapshotFile(generation, state);
    await this.files.writeDurably(`${this.snapshotPath}.new`, snapshot);
    await this.files.writeDurably(`${this.logPath}.new`, header);
    this.isIntact = false;
    await this.files.rename(`${this.snapshotPath}.new`, this.snapshotPath);
    await this.files.syncDirectory(this.directory);
    await this.files.rename(`${this.logPath}.new`, this.logPath);
    await this.files.syncDirectory(this.directory);
    await this.reopen();
    this.generation = generation;
    this.logBytes = header.length;
    this.isIntact = true;
  }

  async close(): Promise<void> {
    const file = this.file;
    this.file = undefined;
    await file?.close();
  }

  /** For errors of the file system and of refusals; `why` is a reason in words. */
  failure(why: string, cause?: unknown): AppError {
    return new AppError(
      'state-unwritable',
      `the journal ${this.logPath} takes no changes: ${why}; check the free space and the permissions of --state-dir, then start the agent again`,
      { cause },
    );
  }

  damage(reason: string, cause?: unknown): AppError {
    return new AppError(
      'state-not-current',
      `the agent's state in ${this.directory} can't be trusted: the journal ${this.logPath} ${reason}; ` +
        'restore nothing by hand, run `clusterflux agent rejoin`, which joins the cluster anew and drops nothing',
      { cause },
    );
  }

  private async loadFiles(): Promise<Loaded> {
    // What a killed process wrote last can be read and yet not be durable; what is loaded here must be, as it is acted on.
    await this.files.syncDirectory(this.directory);
    const snapshotBytes = await this.files.read(this.snapshotPath);
    const logBytes = await this.files.read(this.logPath);
    const snapshot = snapshotBytes && this.sound(parseSnapshotFile(snapshotBytes));
    this.generation = snapshot?.generation ?? 0;
    if (snapshot && !logBytes) throw this.damage('is missing beside its snapshot');
    const log = logBytes && this.sound(parseLog(logBytes));
    if (!log || log.generation === this.generation - 1) {
      return { snapshot, log: await this.beginLog(), cutBytes: 0 };
    }
    if (log.generation !== this.generation) {
      throw this.damage(`has generation ${log.generation} beside a snapshot of ${this.generation}`);
    }
    this.logBytes = log.validBytes;
    await this.reopen();
    await this.cut(this.opened());
    return { snapshot, log, cutBytes: logBytes.length - log.validBytes };
  }

  /** A fresh log for the generation that was loaded. */
  private async beginLog(): Promise<ParsedLog> {
    const header = encodeLogHeader(this.generation);
    await this.files.writeDurably(`${this.logPath}.new`, header);
    await this.files.rename(`${this.logPath}.new`, this.logPath);
    await this.files.syncDirectory(this.directory);
    this.logBytes = header.length;
    await this.reopen();
    const { generation } = this;
    return { kind: 'log', generation, writes: [], validBytes: header.length };
  }

  private async reopen(): Promise<void> {
    await this.close();
    this.file = await this.files.open(this.logPath);
  }

  private opened(): JournalFile {
    if (this.file) return this.file;
    throw this.failure('the journal is closed');
  }

  /** After a write that failed (no space left): what got there is cut off again, and later appends may succeed. */
  private async takeBack(file: JournalFile): Promise<void> {
    try {
      await this.cut(file);
    } catch {
      // The write's own error is reported; this one only decides that nothing more is taken.
      this.isIntact = false;
    }
  }

  /** The log ends at `logBytes` afterwards, and is durable up to there. */
  private async cut(file: JournalFile): Promise<void> {
    await file.truncate(this.logBytes);
    await file.sync();
  }

  private sound<T>(parsed: T | Damage): Exclude<T, Damage> {
    const result = parsed as Exclude<T, Damage> | Damage;
    if (isDamage(result)) throw this.damage(result.reason);
    return result;
  }
}

function isDamage(value: unknown): value is Damage {
  return (value as { kind?: unknown }).kind === 'damaged';
}
