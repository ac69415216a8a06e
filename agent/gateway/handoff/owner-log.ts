// The hints of one owner on disk: appended by group commit, read once in order, removed when done. What was acknowledged is
// read back at least once, in order, however the process ends. It sends nothing itself.
import { join } from 'node:path';
import { AppError, messageOf } from '../../../shared/errors/app-error.js';
import { reached } from '../../../shared/failpoint/failpoint.js';
import type { Batch } from '../owner/port.js';
import { GroupCommit } from './group-commit.js';
import type { HintFiles } from './hint-files.js';
import type { PackedHint } from './hint-record.js';
import { encodeRecord, packHint } from './hint-record.js';
import type { HintItem, LogItem, LogTotals } from './log-item.js';
import { Progress } from './progress.js';
import { SegmentReader } from './segment-reader.js';
import { scanHints } from './scan-hints.js';
import type { LostSegment, Segment } from './segments.js';
import { countRecord, factsOf, findSegments, newSegment } from './segments.js';

export interface OwnerLogOptions {
  readonly files: HintFiles;
  /** `<state-dir>/hints/<uid>`, whose parent exists. */
  readonly directory: string;
  readonly parent: string;
  /** A segment that has so many bytes takes no more; 16 MiB unless a test says otherwise. */
  readonly segmentBytes?: number;
  /** A drained segment that is no larger stays open: hints that come and go need no new file each time. */
  readonly keptBytes?: number;
  /** Notes, durably, that there are hints of these groups; called before one of a new group is acknowledged. */
  readonly register: (groups: readonly number[]) => Promise<void>;
}

/** Large enough that a file is a rare event, small enough that space comes back while a long backlog drains. */
const SEGMENT_BYTES = 16 * 1024 * 1024;
const KEPT_BYTES = 1024 * 1024;

interface Arriving {
  readonly packed: PackedHint;
  /** Of the record on disk. */
  readonly length: number;
  readonly batch: Batch;
  readonly takenMs: number;
  readonly onSequence: ((sequence: number) => void) | undefined;
}

export class OwnerLog {
  private readonly registered = new Set<number>();
  private readonly arriving = new GroupCommit<Arriving>((group) => this.commit(group));
  private reader: { readonly segment: Segment; readonly reader: SegmentReader } | undefined;
  /** The sequence that is read next, and below which all is done in memory. */
  private readNext: number;
  private doneBelow: number;
  private doneAhead = new Set<number>();
  private removing: Promise<void> = Promise.resolve();

  private constructor(
    private readonly options: OwnerLogOptions,
    private readonly progress: Progress,
    private readonly segments: Segment[],
    /** The sequence that the next hint gets. */
    private next: number,
    readonly found: { readonly lost: readonly LostSegment[]; readonly cutBytes: number },
  ) {
    this.readNext = progress.position;
    this.doneBelow = progress.position;
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
    return this.arriving.isIdle && this.isDrained;
  }

  /** Something that is on disk is not done. */
  get hasHeld(): boolean {
    return !this.isDrained;
  }

  get hasUnread(): boolean {
    return this.readNext < this.next;
  }

  get totals(): LogTotals {
    const total = { records: 0, points: 0, bytes: this.arriving.pendingBytes };
    const groups = new Set<number>();
    for (const { left, groups: some, end } of this.segments) {
      if (left.records <= 0 || end <= this.doneBelow) continue;
      total.records += left.records;
      total.points += left.points;
      total.bytes += left.bytes;
      for (const group of some) groups.add(group);
    }
    for (const { batch } of this.arriving.pending) groups.add(batch.group);
    return { ...total, oldestMs: this.oldestMs, groups: [...groups].sort((a, b) => a - b) };
  }

  /** When the hint that is done next was taken in, as far as it is known without reading: that of its segment's first one. */
  private get oldestMs(): number | undefined {
    const head = this.segments.find(({ end }) => end > this.doneBelow);
    return head === undefined
      ? this.arriving.pending[0]?.takenMs
      : Math.max(head.oldestMs, this.headMs);
  }

  private headMs = 0;

  /** Resolves when nothing is being written. Never rejects. */
  async committed(): Promise<void> {
    await this.arriving.idle();
  }

  /** After the last hint: groups are registered anew before the next one is acknowledged. */
  forgetGroups(): void {
    this.registered.clear();
  }

  private get isDrained(): boolean {
    return this.doneBelow >= this.next && this.progress.position >= this.next;
  }

  /**
   * Resolves to its sequence when it is durable. Rejects with the file system's error, and then it is not kept.
   * `onSequence` is called when it is durable and before it can be read.
   */
  append(batch: Batch, takenMs: number, onSequence?: (sequence: number) => void): Promise<number> {
    const packed = packHint(batch, takenMs);
    const { length } = packed;
    return this.arriving.add({ packed, length, batch, takenMs, onSequence });
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

  /** The next item that was not read yet, oldest first; undefined where all was. One reader at a time. */
  async read(): Promise<LogItem | undefined> {
    for (;;) {
      const segment = this.segments.find(({ end }) => end > this.readNext);
      if (segment === undefined) return undefined;
      if (segment.first > this.readNext) return this.lost(segment.first, segment, 'is missing');
      const reader = await this.readerOf(segment);
      const item = await reader.next(segment.bytes);
      if (item === undefined) return this.lost(segment.end, segment, 'ends too early');
      if (item.kind === 'damage') {
        if (item.isLast) return this.lost(segment.end, segment, 'is damaged');
        continue;
      }
      const { sequence, takenMs, batch } = item.record;
      if (sequence < this.readNext || sequence >= segment.end) continue;
      const isGap = sequence > this.readNext;
      if (isGap) {
        reader.offset = item.offset;
        return this.lost(sequence, segment, 'is damaged');
      }
      this.readNext = sequence + 1;
      this.headMs = takenMs;
      return { kind: 'hint', sequence, takenMs, batch, length: item.length };
    }
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
    const end = this.next;
    await this.progress.note({ position: end }, true);
    await this.closeReader();
    this.readNext = Math.max(this.readNext, end);
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
    await this.arriving.idle();
    await this.removing.catch(() => undefined);
    await this.closeReader();
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

  private lost(end: number, segment: Segment, what: string): LogItem {
    const sequence = this.readNext;
    this.readNext = end;
    const why = `the file of hints ${segment.path} ${what}: ${end - sequence} hints are lost`;
    return { kind: 'lost', sequence, end, groups: [...segment.groups], why };
  }

  private async readerOf(segment: Segment): Promise<SegmentReader> {
    if (this.reader?.segment === segment) return this.reader.reader;
    await this.closeReader();
    const file = await this.options.files.open(segment.path, false);
    const reader = new SegmentReader(file, segment.readFrom);
    this.reader = { segment, reader };
    return reader;
  }

  private async closeReader(): Promise<void> {
    const before = this.reader;
    this.reader = undefined;
    await before?.reader.close();
  }

  /** One write and one fsync for all of them. Resolves to the first one's sequence. */
  private async commit(group: readonly Arriving[]): Promise<number> {
    await this.registerGroups(group);
    const segment = await this.tail();
    const { file } = segment;
    if (file === undefined) throw new AppError('internal', 'the newest file of hints is not open');
    const first = this.next;
    const parts = group.flatMap(({ packed }, i) => encodeRecord(packed, first + i, first));
    try {
      await reached('handoff.append.planned');
      await file.write(parts, segment.bytes);
      await reached('handoff.append.written');
      await file.sync();
      await reached('handoff.append.synced');
    } catch (error) {
      // Whoever writes next opens the file anew, which cuts off what got there.
      segment.file = undefined;
      await file.close().catch(() => undefined); // the failed write is what is reported
      throw error;
    }
    group.forEach(({ length, takenMs, batch: { points, group: id }, onSequence }, i) => {
      onSequence?.(first + i);
      countRecord(segment, { sequence: first + i, takenMs, points, group: id, length });
      segment.bytes += length;
    });
    this.next = first + group.length;
    return first;
  }

  private async registerGroups(group: readonly Arriving[]): Promise<void> {
    const fresh = [...new Set(group.map(({ batch }) => batch.group))].filter(
      (id) => !this.registered.has(id),
    );
    if (fresh.length === 0) return;
    await this.options.register(fresh);
    for (const id of fresh) this.registered.add(id);
  }

  /** The segment that takes records, open, durable by name, and noted. */
  private async tail(): Promise<Segment> {
    const newest = this.segments.at(-1);
    if (newest !== undefined && !newest.isSealed) {
      if (newest.bytes < (this.options.segmentBytes ?? SEGMENT_BYTES)) return this.opened(newest);
      await this.seal(newest);
    }
    const segment = newSegment(this.options.directory, this.next);
    await this.opened(segment);
    this.segments.push(segment);
    return segment;
  }

  private async opened(segment: Segment): Promise<Segment> {
    const { files, directory } = this.options;
    if (segment.file !== undefined) return segment;
    const file = await files.open(segment.path, true);
    try {
      await file.truncate(segment.bytes);
      await file.sync();
      await files.syncDirectory(directory);
      await reached('handoff.rotate.created');
      await this.progress.note({ opened: segment.first }, true);
    } catch (error) {
      await file.close();
      throw error;
    }
    segment.file = file;
    return segment;
  }

  private async seal(segment: Segment): Promise<void> {
    await reached('handoff.rotate.full');
    await this.progress.note({ sealed: factsOf(segment) }, true);
    await reached('handoff.rotate.sealed');
    segment.isSealed = true;
    const { file } = segment;
    segment.file = undefined;
    await file?.close();
    await this.removeDone();
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
      if (this.reader?.segment === segment) await this.closeReader();
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
