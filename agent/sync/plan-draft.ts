// What a plan is put together from: one method for each thing that may become of an object. It decides nothing.
import type { ObjectKey, SchemaObject } from '../../shared/meta/model.js';
import { sameSchema } from '../../shared/meta/model.js';
import { orderApplies } from './apply-order.js';
import type { BaseEntry, Move, PushMove } from './base.js';
import type { FieldConflict } from './decide.js';
import { mendMerged } from './mend-merged.js';
import type { Apply, GuardedChange, Plan, PlanInput, PlannedPending } from './plan-types.js';

/** What a parent's fate means for its children. */
export type Fate = 'stays' | 'goes-from-cluster' | 'goes-from-here' | 'waits';

export class PlanDraft {
  readonly fates = new Map<ObjectKey, Fate>();
  readonly unproven: GuardedChange[] = [];
  readonly conflicts: (FieldConflict & { key: ObjectKey })[] = [];
  private readonly merged: Map<ObjectKey, SchemaObject>;
  private readonly moves: Move[] = [];
  private readonly pushMoves = new Map<ObjectKey, PushMove>();
  private readonly changed: ObjectKey[] = [];
  private readonly applies: Apply[] = [];
  private readonly pending: PlannedPending[] = [];
  private isAgainOwed = false;

  constructor(private readonly input: PlanInput) {
    this.merged = new Map(input.remote);
  }

  /** The base moves, whatever else happens. */
  move(key: ObjectKey, entry: BaseEntry | undefined): void {
    this.moves.push({ key, entry });
  }

  /** The base moves, and everything has to be looked at afresh with it. */
  moveAndLookAgain(key: ObjectKey, entry: BaseEntry | undefined): void {
    this.isAgainOwed = true;
    this.move(key, entry);
  }

  wait(key: ObjectKey, reason: string, remedy: string): void {
    this.pending.push({ key, reason, remedy });
  }

  apply(apply: Apply): void {
    if (this.input.mode.pull) this.applies.push(apply);
  }

  pushCreate(key: ObjectKey, local: SchemaObject): void {
    this.push(local, { key, local, remote: { object: local, mark: 'new' } });
  }

  /** The cluster gets `object`; the base moves as told once it has it. */
  push(object: SchemaObject, move: PushMove): void {
    if (!this.input.mode.push) return;
    this.merged.set(move.key, object);
    this.changed.push(move.key);
    this.pushMoves.set(move.key, move);
  }

  /** The object goes from the cluster by this push. */
  pushRemoval(key: ObjectKey): void {
    if (!this.input.mode.push) return;
    if (this.merged.delete(key)) this.changed.push(key);
    this.pushMoves.set(key, { key, local: undefined, remote: undefined });
  }

  finish(): Plan {
    const { remote, local } = this.input;
    const isPushOwed = this.changed.length > 0 && !sameSchema(this.merged, remote);
    if (isPushOwed) mendMerged(this.merged, this.pushMoves, { remote, local });
    return {
      moves: isPushOwed ? this.moves : [...this.moves, ...this.emptyPushMoves()],
      push: isPushOwed
        ? { schema: this.merged, moves: [...this.pushMoves.values()], changed: this.changed }
        : undefined,
      applies: orderApplies(this.applies),
      conflicts: this.conflicts,
      pending: this.pending,
      unproven: this.unproven,
      isAgainOwed: this.isAgainOwed,
    };
  }

  /** Moves of a push that turned out to change nothing (a child of what is gone on both sides). */
  private emptyPushMoves(): Move[] {
    return [...this.pushMoves.values()].flatMap(({ key, local, remote }) =>
      local === undefined && remote === undefined ? [{ key, entry: undefined }] : [],
    );
  }
}
