// Hints: writes that are kept on disk for owners that could not take them.
import type { ApplyOutcome, Batch } from '../owner/port.js';

/** Names one hint of this process. */
export interface HintRef {
  readonly ownerUid: string;
  readonly sequence: number;
}

export type HintOutcome =
  /** It is on disk (fsynced). */
  | { readonly kind: 'kept'; readonly ref: HintRef; readonly isFirst: boolean }
  /** It can't be kept: limits, disk full, I/O error. `why` is one sentence. */
  | { readonly kind: 'refused'; readonly why: string };

/** What is held for one owner. */
export interface Backlog {
  readonly ownerUid: string;
  /** As far as it is known. */
  readonly node: number | undefined;
  readonly records: number;
  readonly bytes: number;
  readonly points: number;
  /** When the oldest was taken in (ms, wall clock). */
  readonly oldestMs: number | undefined;
  /** Groups (ids in the placement) that they belong to. */
  readonly groups: readonly number[];
  readonly state: 'idle' | 'draining' | 'backing-off' | 'stopped';
  readonly lastError: string | undefined;
  readonly bytesPerSecond: number;
  readonly deadLetters: number;
}

export interface Handoff {
  /** True while anything is held for that owner: new writes to it queue behind. */
  holds(ownerUid: string): boolean;
  /**
   * Keeps a batch for an owner, after all that is held for it; resolves when it is fsynced, or can't be. Never rejects.
   * `direct`: the request for the same batch that still runs. Nothing from this hint on is sent before it has ended, so that
   * it can not arrive after something newer; where it ends in `applied`, the hint is settled by that alone.
   * A refused one is the caller's to record: whether its owner becomes incomplete depends on what the write ends in.
   */
  keep(ownerUid: string, batch: Batch, direct?: Promise<ApplyOutcome>): Promise<HintOutcome>;
  /**
   * Resolves to true once nothing is held for that owner, and to false where an attempt to send it something fails: then it
   * may take long. Never rejects. Who waits adds nothing to what is held, so that an owner gets back to direct writes while
   * clients go on writing.
   */
  drained(ownerUid: string): Promise<boolean>;
  /** Whether no more is held for it than goes out in one request, and that has not been waiting for long. */
  isNearlyDrained(ownerUid: string): boolean;
  /** The direct request for the same batch has succeeded after all: it is not sent again. */
  settle(ref: HintRef): void;
  backlogs(): readonly Backlog[];
  /** Attempts the owner at once: it was seen to be back. */
  nudge(ownerUid: string): void;
}
