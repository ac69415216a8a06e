// What reading a hint log gives. Pure types.
import type { Batch } from '../owner/port.js';

export interface HintItem {
  readonly kind: 'hint';
  readonly sequence: number;
  /** Wall clock, ms. */
  readonly takenMs: number;
  readonly batch: Batch;
  /** Bytes of the record on disk. */
  readonly length: number;
}

/** Hints that were acknowledged and can't be read any more: sequences [sequence, end). */
export interface LostItem {
  readonly kind: 'lost';
  readonly sequence: number;
  readonly end: number;
  /** That they may have been of. */
  readonly groups: readonly number[];
  readonly why: string;
}

export type LogItem = HintItem | LostItem;

/** What is held for one owner. */
export interface LogTotals {
  readonly records: number;
  readonly points: number;
  readonly bytes: number;
  /** When the oldest was taken in, ms; undefined where nothing is held. */
  readonly oldestMs: number | undefined;
  readonly groups: readonly number[];
}
