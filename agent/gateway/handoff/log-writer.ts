// Appends hints of one owner to its newest segment, by group commit: one write and one fsync for all that come meanwhile. What
// was acknowledged is on disk, and its groups are on record.
import { AppError } from '../../../shared/errors/app-error.js';
import { reached } from '../../../shared/failpoint/failpoint.js';
import type { Batch } from '../owner/port.js';
import { GroupCommit } from './group-commit.js';
import type { HintFiles } from './hint-files.js';
import type { PackedHint } from './hint-record.js';
import { encodeRecord, packHint } from './hint-record.js';
import type { Progress } from './progress.js';
import type { Segment } from './segments.js';
import { countRecord, factsOf, newSegment } from './segments.js';

export interface LogWriterOptions {
  readonly files: HintFiles;
  /** `<state-dir>/hints/<uid>`. */
  readonly directory: string;
  /** A segment that has so many bytes takes no more; 16 MiB unless a test says otherwise. */
  readonly segmentBytes?: number;
  /** Notes, durably, that there are hints of these groups; called before one of a new group is acknowledged. */
  readonly register: (groups: readonly number[]) => Promise<void>;
}

/** Large enough that a file is a rare event, small enough that space comes back while a long backlog drains. */
const SEGMENT_BYTES = 16 * 1024 * 1024;

export type Pending = Pick<Arriving, 'batch' | 'takenMs'>;

interface Arriving {
  readonly packed: PackedHint;
  /** Of the record on disk. */
  readonly length: number;
  readonly batch: Batch;
  readonly takenMs: number;
  readonly onSequence: ((sequence: number) => void) | undefined;
}

export class LogWriter {
  private readonly registered = new Set<number>();
  private readonly arriving = new GroupCommit<Arriving>((group) => this.commit(group));

  constructor(
    private readonly options: LogWriterOptions,
    private readonly progress: Progress,
    /** In order; the newest one takes what comes. */
    private readonly segments: Segment[],
    /** The sequence that the next hint gets. */
    private next: number,
    /** A segment takes no more. */
    private readonly onSealed: () => Promise<void>,
  ) {}

  get end(): number {
    return this.next;
  }

  /** Nothing is being written. */
  get isIdle(): boolean {
    return this.arriving.isIdle;
  }

  /** What is being written, and waits for it. */
  get pending(): { readonly bytes: number; readonly hints: readonly Pending[] } {
    return { bytes: this.arriving.pendingBytes, hints: this.arriving.pending };
  }

  /** Resolves when nothing is being written. Never rejects. */
  async idle(): Promise<void> {
    await this.arriving.idle();
  }

  /** After the last hint: groups are registered anew before the next one is acknowledged. */
  forgetGroups(): void {
    this.registered.clear();
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
    await this.onSealed();
  }
}
