// Reads the hints of one owner from its segments, each once and in order, and says what is missing or damaged. It removes nothing,
// and does not know which hints are done.
import type { HintFiles } from './hint-files.js';
import type { LogItem } from './log-item.js';
import { SegmentReader } from './segment-reader.js';
import type { Segment } from './segments.js';

export class LogReader {
  private reader: { readonly segment: Segment; readonly reader: SegmentReader } | undefined;
  /** When the last one that was read was taken in. */
  headMs = 0;

  constructor(
    private readonly files: HintFiles,
    /** In order; others add and remove some. */
    private readonly segments: readonly Segment[],
    /** The sequence that is read next. */
    private readNext: number,
  ) {}

  get position(): number {
    return this.readNext;
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

  /** Goes on behind what is given up. */
  async skipTo(end: number): Promise<void> {
    await this.close();
    this.readNext = Math.max(this.readNext, end);
  }

  /** Before its file is removed. */
  async leave(segment: Segment): Promise<void> {
    if (this.reader?.segment === segment) await this.close();
  }

  private async readerOf(segment: Segment): Promise<SegmentReader> {
    if (this.reader?.segment === segment) return this.reader.reader;
    await this.close();
    const file = await this.files.open(segment.path, false);
    const reader = new SegmentReader(file, segment.readFrom);
    this.reader = { segment, reader };
    return reader;
  }

  async close(): Promise<void> {
    const before = this.reader;
    this.reader = undefined;
    await before?.reader.close();
  }

  private lost(end: number, segment: Segment, what: string): LogItem {
    const sequence = this.readNext;
    this.readNext = end;
    const why = `the file of hints ${segment.path} ${what}: ${end - sequence} hints are lost`;
    return { kind: 'lost', sequence, end, groups: [...segment.groups], why };
  }
}
