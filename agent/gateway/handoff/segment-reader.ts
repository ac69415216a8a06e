// Reads the records of one segment in order, a piece at a time. What is damaged is passed over up to the next sound record,
// and said; nothing is repaired here.
import type { HintFile } from './hint-files.js';
import type { HintRecord } from './hint-record.js';
import { decodeRecord, nextMark, RECORD_OVERHEAD } from './hint-record.js';

export type SegmentItem =
  | {
      readonly kind: 'record';
      readonly record: HintRecord;
      readonly offset: number;
      readonly length: number;
    }
  /** Bytes that are no record; `isLast`: nothing sound is behind them. */
  | {
      readonly kind: 'damage';
      readonly offset: number;
      readonly length: number;
      readonly isLast: boolean;
    };

/** One read: many small records at a time, and little memory. Larger records get a piece of their own. */
const PIECE_BYTES = 256 * 1024;

export class SegmentReader {
  private piece = Buffer.alloc(0);
  private pieceAt = 0;

  /** `offset`: where the next record begins. */
  constructor(
    private readonly file: HintFile,
    public offset = 0,
  ) {}

  /** The next item before `end` (the segment's durable length); undefined where there is none. */
  async next(end: number): Promise<SegmentItem | undefined> {
    if (this.offset >= end) return undefined;
    const found = await this.recordAt(this.offset, end);
    if (found !== undefined) {
      const offset = this.offset;
      this.offset += found.length;
      return { kind: 'record', ...found, offset };
    }
    return this.passDamage(end);
  }

  close(): Promise<void> {
    return this.file.close();
  }

  private async passDamage(end: number): Promise<SegmentItem> {
    const from = this.offset;
    let at = from + 1;
    for (;;) {
      const candidate = await this.findMark(at, end);
      if (candidate === undefined) {
        this.offset = end;
        return { kind: 'damage', offset: from, length: end - from, isLast: true };
      }
      if ((await this.recordAt(candidate, end)) !== undefined) {
        this.offset = candidate;
        return { kind: 'damage', offset: from, length: candidate - from, isLast: false };
      }
      at = candidate + 1;
    }
  }

  /** The sound record at an offset, undefined where there is none. */
  private async recordAt(
    offset: number,
    end: number,
  ): Promise<{ record: HintRecord; length: number } | undefined> {
    if (offset + RECORD_OVERHEAD > end) return undefined;
    let decoded = decodeRecord(await this.bytes(offset, RECORD_OVERHEAD, end));
    while (decoded.kind === 'more') {
      if (offset + decoded.length > end) return undefined;
      decoded = decodeRecord(await this.bytes(offset, decoded.length, end));
    }
    return decoded.kind === 'record' ? decoded : undefined;
  }

  private async findMark(from: number, end: number): Promise<number | undefined> {
    for (let at = from; at < end;) {
      const bytes = await this.bytes(at, Math.min(RECORD_OVERHEAD, end - at), end);
      const found = nextMark(bytes, 0);
      if (found >= 0) return at + found;
      // A mark may lie across the end of the piece.
      at += Math.max(1, bytes.length - MARK_REST);
    }
    return undefined;
  }

  /** At least `length` bytes from `offset` on, as far as there are so many before `end`. */
  private async bytes(offset: number, length: number, end: number): Promise<Buffer> {
    const pieceEnd = this.pieceAt + this.piece.length;
    if (offset < this.pieceAt || offset + length > pieceEnd) {
      // A fresh buffer each time: records that were handed out are views of the one before.
      const piece = Buffer.allocUnsafe(Math.min(Math.max(length, PIECE_BYTES), end - offset));
      this.piece = piece.subarray(0, await this.file.read(piece, offset));
      this.pieceAt = offset;
    }
    return this.piece.subarray(offset - this.pieceAt, end - this.pieceAt);
  }
}

/** Bytes of a mark that may be before the end of a piece without the rest. */
const MARK_REST = 3;
