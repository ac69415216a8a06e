// The hints of one owner on disk: appended by group commit, read once in order, removed when done. What was acknowledged is
// read back at least once, in order, however the process ends. It sends nothing itself.
import { join } from 'node:path';
import { messageOf } from '../../../shared/errors/app-error.js';
import { reached } from '../../../shared/failpoint/failpoint.js';
import type { Batch } from '../owner/port.js';
import type { HintItem, LogItem, LogTotals } from './log-item.js';
import { LogReader } from './log-reader.js';
import { LogWriter, type LogWriterOptions } from './log-writer.js';
import { Progress } from './progress.js';
import { scanHints } from './scan-hints.js';
import type { LostSegment, Segment } from './segments.js';
import { findSegments } from './segments.js';

export interface OwnerLogOptions extends LogWriterOptions {
  /** Of the directory; it exists. */
  readonly parent: string;
  /** A drained segment that is no larger stays open: hints that come and go need no new file each time. */
  readonly keptBytes?: number;
}

const KEPT_BYTES = 1024 * 1024;

export class OwnerLog {
  private readonly writer: LogWriter;
  private readonly reader: LogReader;
  /** Below it all is done, in memory. */
  private doneBelow: number;
  private doneAhead = new Set<number>();
  private removing: Promise<void> = Promise.resolve();

  private constructor(
    private readonly options: OwnerLogOptions,
    private readonly progress: Progress,
    private readonly segments: Segment[],
    next: number,
    readonly found: { readonly lost: readonly LostSegment[]; readonly cutBytes: number },
  ) {
    this.doneBelow = progress.position;
    this.reader = new LogReader(options.files, segments, progress.position);
    this.writer = new LogWriter(options, progress, segments, next, () => this.removeDone());
  }

  /** Errors are the file system's own. */
  static async open(options: OwnerLogOptions): Promise<OwnerLog> {
    const { files, directory, parent } = options;
    await files.makeDirectory(directory, parent);
    const progress = await Progress.open(files, directory);
    const found = await findSegments(files, directory, progress);
    for (const path of found.finished) await files.remove(path);
    const { segments } = found;
    const next = Math.max(progress.position, segments.at(-1)?.end ?? 0, progress.opened ?? 0);
    return new OwnerLog(options, progress, segments, next, found);
  }

  /** Anything that is not done, or not durably so, or is just being written. */
  get isEmpty(): boolean {
    return this.writer.isIdle && this.isDrained;
  }

  /** Something that is on disk is not done. */
  get hasHeld(): boolean {
    return !this.isDrained;
  }

  get hasUnread(): boolean {
    return this.reader.position < this.writer.end;
  }

  get totals(): LogTotals {
    const { pending } = this.writer;
    const total = { records: 0, points: 0, bytes: pending.bytes };
    const groups = new Set<number>();
    for (const { left, groups: some, end } of this.segments) {
      if (left.records <= 0 || end <= this.doneBelow) continue;
      total.records += left.records;
      total.points += left.points;
      total.bytes += left.bytes;
      for (const group of some) groups.add(group);
    }
    for (const { batch } of pending.hints) groups.add(batch.group);
    return { ...total, oldestMs: this.oldestMs, groups: [...groups].sort((a, b) => a - b) };
  }

  /** When the hint that is done next was taken in, as far as it is known without reading: that of its segment's first one. */
  private get oldestMs(): number | undefined {
    const head = this.segments.find(({ end }) => end > this.doneBelow);
    return head === undefined
      ? this.writer.pending.hints[0]?.takenMs
      : Math.max(head.oldestMs, this.reader.headMs);
  }

  /** Resolves when nothing is being written. Never rejects. */
  async committed(): Promise<void> {
    await this.writer.idle();
  }

  /** After the last hint: groups are registered anew before the next one is acknowledged. */
  forgetGroups(): void {
    this.writer.forgetGroups();
  }

  private get isDrained(): boolean {
    return this.doneBelow >= this.writer.end && this.progress.position >= this.writer.end;
  }

  /** See LogWriter. */
  append(batch: Batch, takenMs: number, onSequence?: (sequence: number) => void): Promise<number> {
    return this.writer.append(batch, takenMs, onSequence);
  }

  /** It need not be sent any more. */
  settle(sequence: number): void {
    if (sequence < this.doneBelow || this.progress.settled.has(sequence)) return;
    this.progress.settled.add(sequence);
    // Where this is lost with the machine it is sent twice, before everything that is newer: nothing is out of order by that.
    this.progress.note({ settled: [sequence] }, false).catch(() => undefined);
  }

  isSettled(sequence: number): boolean {
    return this.progress.settled.has(sequence);
  }

  /** See LogReader. One reader at a time. */
  read(): Promise<LogItem | undefined> {
    return this.reader.read();
  }

  /** What was read is done; removes what is done whole. Rejects with the file system's error; the same may be said again. */
  async done(items: readonly LogItem[]): Promise<void> {
    for (const item of items) this.count(item);
    while (this.doneAhead.delete(this.doneBelow)) this.doneBelow += 1;
    await this.removeDone();
  }

  /** Makes what is done durable. Afterwards `isEmpty` tells the truth also after a loss of power. */
  async flush(): Promise<void> {
    await reached('handoff.replay.done');
    if (this.progress.position < this.doneBelow) {
      await this.progress.note({ position: this.doneBelow }, true);
    }
    await this.removeTail();
  }

  /** Gives up everything that is held now. */
  async drop(): Promise<void> {
    const end = this.writer.end;
    await this.progress.note({ position: end }, true);
    await this.reader.skipTo(end);
    this.doneBelow = Math.max(this.doneBelow, end);
    for (const segment of this.segments) {
      if (segment.end <= end) Object.assign(segment.left, { records: 0, points: 0, bytes: 0 });
    }
    await this.removeDone();
    await this.removeTail();
  }

  /** Forgets segments that are not there, once that was told. */
  async forget(lost: readonly LostSegment[]): Promise<void> {
    if (lost.length === 0) return;
    await this.progress.note({ dropped: lost.map(({ first }) => first) }, true);
  }

  /** Reads all that is held, from the oldest, beside the one reader: for people. Hints that are done meanwhile may be missing. */
  scan(): AsyncGenerator<HintItem> {
    const isDone = (sequence: number) => sequence < this.doneBelow || this.isSettled(sequence);
    return scanHints(this.options.files, [...this.segments], isDone);
  }

  async close(): Promise<void> {
    await this.writer.idle();
    await this.removing.catch(() => undefined);
    await this.reader.close();
    await this.segments.at(-1)?.file?.close();
    await this.progress.close();
  }

  private count(item: LogItem): void {
    const end = item.kind === 'lost' ? item.end : item.sequence + 1;
    if (end <= this.doneBelow) return;
    for (let sequence = item.sequence; sequence < end; sequence += 1) this.doneAhead.add(sequence);
    if (item.kind === 'lost') return;
    const segment = this.segments.find(
      ({ first, end: last }) => first <= item.sequence && item.sequence < last,
    );
    if (segment === undefined) return;
    segment.left.records -= 1;
    segment.left.points -= item.batch.points;
    segment.left.bytes -= item.length;
  }

  /** Sealed segments of which all is done. What is removed is noted first: a hint is never gone without being done. */
  private removeDone(): Promise<void> {
    return this.inRemoval(async () => {
      const over = this.segments.filter(({ isSealed, end }) => isSealed && end <= this.doneBelow);
      if (over.length === 0) return;
      const dropped = over.map(({ first }) => first);
      await this.progress.note({ position: this.doneBelow, dropped }, true);
      await this.removeFiles(over);
    });
  }

  /** The newest one, when all is done and it is worth it. Only while nothing is being appended. */
  private removeTail(): Promise<void> {
    return this.inRemoval(async () => {
      const tail = this.segments.at(-1);
      if (tail === undefined || tail.isSealed || !this.isEmpty) return;
      if (tail.bytes <= (this.options.keptBytes ?? KEPT_BYTES)) return;
      // Sealed at once, in the same turn: an append that comes now begins a new one.
      tail.isSealed = true;
      const { file } = tail;
      tail.file = undefined;
      await file?.close();
      await this.progress.note({ position: this.doneBelow, dropped: [tail.first] }, true);
      await this.removeFiles([tail]);
    });
  }

  private async removeFiles(over: readonly Segment[]): Promise<void> {
    for (const segment of over) {
      await this.reader.leave(segment);
      await reached('handoff.delete.noted');
      await this.options.files.remove(segment.path);
      await reached('handoff.delete.removed');
      const index = this.segments.indexOf(segment);
      if (index >= 0) this.segments.splice(index, 1);
    }
  }

  private inRemoval(work: () => Promise<void>): Promise<void> {
    const done = this.removing.then(work);
    this.removing = done.catch(() => undefined);
    return done;
  }
}

/** One sentence of why a hint can't be kept. */
export function whyNotKept(error: unknown, directory: string): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC' || code === 'EDQUOT') return `no space is left for hints in ${directory}`;
  return `writing a hint into ${directory} failed: ${messageOf(error)}`;
}

export function directoryOf(hints: string, uid: string): string {
  return join(hints, uid);
}
