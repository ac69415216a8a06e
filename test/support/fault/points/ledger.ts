// What writers know of their batches: which were acknowledged, which were declined, and of which nobody can say. It remembers, and
// judges nothing.
import type { PointBatch } from './batches.js';

/**
 * `acknowledged` stays so whatever comes later. `short`: the gateway said that not enough owners have it, and what it has will
 * arrive. `nowhere`: declined with the word that nothing was written. `unknown`: a connection broke, or the answer did not come.
 */
export type BatchFate = 'acknowledged' | 'short' | 'nowhere' | 'unknown';

export interface LedgerEntry {
  readonly batch: PointBatch;
  readonly fate: BatchFate;
}

/** By what may be there in the worst case. */
const WEIGHT: Readonly<Record<BatchFate, number>> = {
  nowhere: 0,
  short: 1,
  unknown: 2,
  acknowledged: 3,
};

export class Ledger {
  private readonly byNumber = new Map<number, LedgerEntry>();
  private readonly acknowledgedBySource = new Map<string, PointBatch[]>();
  acknowledgedBatches = 0;
  acknowledgedPoints = 0;

  /** Before the first byte is sent: until there is an answer nothing is known. */
  noteSending(batch: PointBatch): void {
    this.byNumber.set(batch.number, { batch, fate: 'unknown' });
  }

  /** Of all attempts for one batch. */
  note(batch: PointBatch, fates: readonly BatchFate[]): void {
    const fate = fates.reduce<BatchFate>(
      (worst, each) => (WEIGHT[each] > WEIGHT[worst] ? each : worst),
      'nowhere',
    );
    this.byNumber.set(batch.number, { batch, fate });
    if (fate !== 'acknowledged') return;
    this.acknowledgedBatches += 1;
    this.acknowledgedPoints += batch.size;
    this.listOf(batch.writer, batch.policy).push(batch);
  }

  /** Those of one writer in one policy that were acknowledged by now, in that order. */
  acknowledgedOf(writer: number, policy: string): readonly PointBatch[] {
    return [...this.listOf(writer, policy)];
  }

  get(number: number): LedgerEntry | undefined {
    return this.byNumber.get(number);
  }

  get entries(): readonly LedgerEntry[] {
    return [...this.byNumber.values()];
  }

  private listOf(writer: number, policy: string): PointBatch[] {
    const source = `${writer} ${policy}`;
    const list = this.acknowledgedBySource.get(source) ?? [];
    this.acknowledgedBySource.set(source, list);
    return list;
  }
}
