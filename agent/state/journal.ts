// A crash-safe journal of one value: a snapshot file and a log of records that were applied to it since. An append is
// durable when it resolves. Damage is refused with a sentence that says what to do; the state is never silently reset.
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import type { Loaded } from './journal-disk.js';
import { JournalDisk } from './journal-disk.js';
import type { JournalFiles } from './journal-files.js';
import { nodeJournalFiles } from './journal-files.js';
import { encodeWrite } from './journal-format.js';

export interface JournalOptions<State, Rec> {
  /** Exists, is writable, and is held by this process alone. */
  readonly directory: string;
  /** The files are `<name>.json` and `<name>.log`, and each with `.new` behind it during a rewrite. */
  readonly name: string;
  /** The state of a journal without files; the journal owns it from then on. */
  readonly initial: State;
  /** May change the state in place: it is called for durable records only, each once, in order. */
  readonly reduce: (state: State, record: Rec) => State;
  /** To and from what JSON can carry (no bigint, no Map). A decoder throws for what it does not understand. */
  readonly encodeState: (state: State) => unknown;
  readonly decodeState: (value: unknown) => State;
  readonly encodeRecord: (record: Rec) => unknown;
  readonly decodeRecord: (value: unknown) => Rec;
  /** The snapshot is written anew, and the log begun anew, when the log is longer than this. */
  readonly rewriteAfterBytes: number;
  /** Told of what was mended or put off: an interrupted write cut at open, a rewrite that will be tried again. */
  readonly onNotice?: (message: string, fields: Record<string, unknown>) => void;
  /** The file system; another one in tests. */
  readonly files?: JournalFiles;
}

export interface Journal<State, Rec> {
  /** With every acknowledged append, and nothing else, applied. */
  readonly state: State;
  /**
   * All of these records, or none. Resolves when they are durable and applied; concurrent appends share one fsync.
   * Throws AppError `state-unwritable`: they are not applied. After a failed fsync, or where a half-written line can't be
   * taken back, the journal takes nothing more until the process starts anew (what is on the disk is then unknown).
   */
  append(records: readonly Rec[]): Promise<void>;
  /** Waits for appends under way; later ones are refused. */
  close(): Promise<void>;
}

/**
 * Opens a journal, or makes a new one. Throws AppError `state-unwritable`, or `state-not-current` where the files are
 * damaged or do not belong together.
 */
export async function openJournal<State, Rec>(
  options: JournalOptions<State, Rec>,
): Promise<Journal<State, Rec>> {
  const disk = new JournalDisk(
    options.directory,
    options.name,
    options.files ?? nodeJournalFiles(),
  );
  try {
    const found = await disk.load();
    const state = replay(options, disk, found);
    if (found.cutBytes > 0) {
      options.onNotice?.('an interrupted write was cut from the journal', {
        path: disk.logPath,
        bytes: found.cutBytes,
      });
    }
    return new OpenJournal(options, disk, state);
  } catch (error) {
    await disk.close();
    throw error;
  }
}

/** The state of the snapshot with every record applied. */
function replay<State, Rec>(
  options: JournalOptions<State, Rec>,
  disk: JournalDisk,
  { snapshot, log }: Loaded,
): State {
  let state = snapshot ? decode(disk, () => options.decodeState(snapshot.state)) : options.initial;
  for (const record of log.writes.flat()) {
    state = options.reduce(
      state,
      decode(disk, () => options.decodeRecord(record)),
    );
  }
  return state;
}

function decode<T>(disk: JournalDisk, decoder: () => T): T {
  try {
    return decoder();
  } catch (error) {
    throw disk.damage(
      `holds something that this version does not understand (${messageOf(error)})`,
      error,
    );
  }
}

interface PendingAppend<Rec> {
  readonly records: readonly Rec[];
  readonly resolve: () => void;
  readonly reject: (error: AppError) => void;
}

class OpenJournal<State, Rec> implements Journal<State, Rec> {
  private readonly queue: PendingAppend<Rec>[] = [];
  private isWriting = false;
  private written: Promise<void> = Promise.resolve();
  private refusal: AppError | undefined;
  private nextRewriteBytes: number;

  constructor(
    private readonly options: JournalOptions<State, Rec>,
    private readonly disk: JournalDisk,
    private current: State,
  ) {
    this.nextRewriteBytes = options.rewriteAfterBytes;
  }

  get state(): State {
    return this.current;
  }

  append(records: readonly Rec[]): Promise<void> {
    if (records.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.queue.push({ records, resolve, reject });
      if (!this.isWriting) this.written = this.drain();
    });
  }

  async close(): Promise<void> {
    await this.written;
    this.refusal ??= this.disk.failure('the journal is closed');
    await this.disk.close();
  }

  /** Never rejects. `isWriting` falls in the same turn in which the queue was seen empty, so no append is left behind. */
  private async drain(): Promise<void> {
    this.isWriting = true;
    while (this.queue.length > 0) {
      const group = this.queue.splice(0);
      try {
        await this.write(group.flatMap(({ records }) => records));
      } catch (error) {
        const failure =
          error instanceof AppError ? error : this.disk.failure(messageOf(error), error);
        for (const { reject } of group) reject(failure);
        continue;
      }
      for (const { resolve } of group) resolve();
      await this.rewriteWhenLong();
    }
    this.isWriting = false;
  }

  private async write(records: readonly Rec[]): Promise<void> {
    if (this.refusal) throw this.refusal;
    const line = encodeWrite(records.map((record) => this.options.encodeRecord(record)));
    try {
      await this.disk.append(line);
    } catch (error) {
      if (!this.disk.isIntact) this.refuse('an earlier write failed half-way', error);
      throw error;
    }
    try {
      for (const record of records) this.current = this.options.reduce(this.current, record);
    } catch (error) {
      // The record is in the log and can't be applied: what is in memory is no longer what a restart would read.
      throw this.refuse(`a record could not be applied (${messageOf(error)})`, error);
    }
  }

  private refuse(why: string, cause: unknown): AppError {
    this.refusal = this.disk.failure(why, cause);
    return this.refusal;
  }

  private async rewriteWhenLong(): Promise<void> {
    if (this.refusal || this.disk.logBytes <= this.nextRewriteBytes) return;
    try {
      await this.disk.rewrite(this.options.encodeState(this.current));
      this.nextRewriteBytes = this.options.rewriteAfterBytes;
    } catch (error) {
      // Everything acknowledged is still in the files. Before the first rename the old log just goes on.
      this.nextRewriteBytes = this.disk.logBytes + this.options.rewriteAfterBytes;
      if (!this.disk.isIntact) this.refuse('renaming its files failed', error);
      this.options.onNotice?.('rewriting the journal failed', {
        path: this.disk.logPath,
        err: error,
      });
    }
  }
}
