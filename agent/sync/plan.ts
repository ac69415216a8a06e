// From base, local, remote and marks to what is to be pushed, applied and noted: the pure heart of the reconciler. Objects
// are decided one by one (decide.ts), parents before children, and what a parent's fate means for a child is settled here.
import type { ObjectKey, ObjectName, SchemaObject } from '../../shared/meta/model.js';
import {
  databaseOf,
  keyOf,
  nameOf,
  parentsOf,
  sameSchema,
  sameValue,
} from '../../shared/meta/model.js';
import { orderApplies } from './apply-order.js';
import type { BaseEntry, GuardHold, HoldReason, Move, PushMove, RemoteSide } from './base.js';
import type { Decision, FieldConflict } from './decide.js';
import { decide, withFields, withoutFields } from './decide.js';
import { isStopped, shortening, withoutGuard } from './guard.js';
import { joinHold } from './join-hold.js';
import { mendMerged } from './mend-merged.js';
import { keysInOrder } from './plan-order.js';
import type { Apply, Plan, PlanInput, PlannedPending, GuardedChange } from './plan-types.js';

/** A drop of an object whose two creations were merged is held so long: its other user may not know of the first. */
export const TWIN_HOLD_MS = 60_000;

/** What a parent's fate means for its children. */
type Fate = 'stays' | 'goes-from-cluster' | 'goes-from-here' | 'waits';

export function plan(input: PlanInput): Plan {
  const planner = new Planner(input);
  for (const key of keysInOrder(input)) planner.consider(key);
  return planner.finish();
}

class Planner {
  private readonly merged: Map<ObjectKey, SchemaObject>;
  private readonly fates = new Map<ObjectKey, Fate>();
  private readonly moves: Move[] = [];
  private isAgainOwed = false;
  private readonly pushMoves = new Map<ObjectKey, PushMove>();
  private readonly changed: ObjectKey[] = [];
  private readonly applies: Apply[] = [];
  private readonly conflicts: (FieldConflict & { key: ObjectKey })[] = [];
  private readonly pending: PlannedPending[] = [];
  private readonly unproven: GuardedChange[] = [];

  constructor(private readonly input: PlanInput) {
    this.merged = new Map(input.remote);
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

  consider(key: ObjectKey): void {
    if (this.isInLine(key)) return;
    const name = nameOf(key);
    if (this.isHidden(name)) return this.forget(key);
    const fate = this.fateOfParents(name);
    if (fate !== 'stays') return this.goWithParent(key, fate);
    const entry = this.input.entries.get(key) ?? {};
    const sides = {
      base: entry,
      local: this.input.local.get(key),
      remote: this.remoteSide(key),
      isRecreatedHere: this.isRecreatedHere(name),
    };
    const hold = this.holdOf(key, entry);
    if (hold !== undefined) return this.hold(key, entry, hold);
    const base = entry.hold === undefined ? entry : {};
    this.carryOut(key, name, { ...sides, base }, decide({ ...sides, base }));
  }

  /**
   * The quick way past what needs nothing, which is nearly everything in nearly every tick: known, unchanged on both sides,
   * and nothing is about to happen to anything that it might lie in.
   */
  private isInLine(key: ObjectKey): boolean {
    const { entries, local, remote, marks, recreated } = this.input;
    if (this.fates.size > 0 || recreated.size > 0) return false;
    const entry = entries.get(key);
    const here = local.get(key);
    const there = remote.get(key);
    return (
      entry?.local !== undefined &&
      entry.remote !== undefined &&
      entry.guard === undefined &&
      here !== undefined &&
      there !== undefined &&
      entry.remote.mark === (marks.get(key) ?? 0) &&
      sameValue(here.value, entry.local.value) &&
      sameValue(there.value, entry.remote.object.value) &&
      !this.isHidden(here)
    );
  }

  private carryOut(
    key: ObjectKey,
    name: ObjectName,
    sides: { base: BaseEntry; local: SchemaObject | undefined; remote: RemoteSide | undefined },
    decision: Decision,
  ): void {
    const { base, local, remote } = sides;
    switch (decision.do) {
      case 'nothing':
        return this.nothing(key);
      case 'settle':
        return this.settle(key, name, sides);
      case 'forget':
        this.isAgainOwed = true;
        this.moves.push({ key, entry: undefined });
        return;
      case 'create-here':
        if (remote) this.apply({ kind: 'create', key, target: remote.object, remote });
        return;
      case 'drop-here':
        if (local) this.dropHere(key, base, { kind: 'drop', key, before: local, entry: undefined });
        return;
      case 'replace-here':
        if (local)
          this.dropHere(key, base, { kind: 'drop', key, before: local, entry: keepRemote(base) });
        return;
      case 'push-create':
        if (local) this.pushCreate(key, local);
        return;
      case 'push-drop':
        return this.pushDrop(key, base);
      case 'push-recreated':
        if (this.isHeldByGuard(key, base, { change: 'drop', side: 'cluster' })) return;
        this.fates.set(key, 'goes-from-cluster');
        return this.pushRemoval(key);
      case 'merge':
        if (local && remote) this.merge(key, { base, local, remote }, decision);
    }
  }

  /** What was held or stopped, and is no difference any more, is forgotten as such. */
  private nothing(key: ObjectKey): void {
    const entry = this.input.entries.get(key);
    if (entry?.hold !== undefined) this.moves.push({ key, entry: undefined });
    if (entry?.guard === undefined) return;
    this.moves.push({ key, entry: withoutGuard(entry) });
  }

  /** Both sides are in line: the base takes them as they are. */
  private settle(
    key: ObjectKey,
    name: ObjectName,
    {
      base,
      local,
      remote,
    }: { base: BaseEntry; local: SchemaObject | undefined; remote: RemoteSide | undefined },
  ): void {
    if (local === undefined || remote === undefined) {
      this.moves.push({ key, entry: undefined });
      return;
    }
    const isTwin = base.local === undefined && base.remote === undefined && holdsData(name);
    const twinSinceMs = isTwin ? this.input.nowMs : base.twinSinceMs;
    this.moves.push({
      key,
      entry: { remote, local, ...(twinSinceMs === undefined ? {} : { twinSinceMs }) },
    });
  }

  private apply(apply: Apply): void {
    if (this.input.mode.pull) this.applies.push(apply);
  }

  private dropHere(key: ObjectKey, base: BaseEntry, drop: Extract<Apply, { kind: 'drop' }>): void {
    if (this.isOwnUser(nameOf(key))) {
      this.wait(key, 'the agent itself uses this account here', 'give the agent another account');
      return;
    }
    if (this.isFreshTwin(base)) return this.waitForTwin(key);
    if (this.isHeldByGuard(key, base, { change: 'drop', side: 'here' })) return;
    this.fates.set(key, 'goes-from-here');
    this.apply(drop);
  }

  private pushCreate(key: ObjectKey, local: SchemaObject): void {
    if (!this.input.mode.push) return;
    this.merged.set(key, local);
    this.changed.push(key);
    this.pushMoves.set(key, { key, local, remote: { object: local, mark: 'new' } });
  }

  private pushDrop(key: ObjectKey, base: BaseEntry): void {
    const unproven = this.input.whyUnproven(key);
    if (unproven !== undefined) {
      this.fates.set(key, 'waits');
      this.wait(key, `dropped here, but that is not proven: ${unproven}`, '');
      return;
    }
    if (this.isFreshTwin(base)) return this.waitForTwin(key);
    if (this.isHeldByGuard(key, base, { change: 'drop', side: 'cluster' })) return;
    this.fates.set(key, 'goes-from-cluster');
    this.pushRemoval(key);
  }

  /** The object goes from the cluster by this push, and its children with it. */
  private pushRemoval(key: ObjectKey): void {
    if (!this.input.mode.push) return;
    if (this.merged.delete(key)) this.changed.push(key);
    this.pushMoves.set(key, { key, local: undefined, remote: undefined });
  }

  private merge(
    key: ObjectKey,
    sides: { base: BaseEntry; local: SchemaObject; remote: RemoteSide },
    decision: Extract<Decision, { do: 'merge' }>,
  ): void {
    for (const conflict of decision.conflicts) this.conflicts.push({ key, ...conflict });
    if (decision.isTwin) this.meet(key, sides, decision);
    else this.mergeKnown(key, sides, decision);
  }

  /**
   * Two creations that had not seen each other: from now on they are one, noted as in line but for the fields that differ,
   * which the next tick sees as changes of one side. So a user whose password can't be set here is known all the same.
   */
  private meet(
    key: ObjectKey,
    { local, remote }: { local: SchemaObject; remote: RemoteSide },
    { push, apply }: Extract<Decision, { do: 'merge' }>,
  ): void {
    const isData = holdsData(nameOf(key));
    this.isAgainOwed = true;
    this.moves.push({
      key,
      entry: {
        remote: { ...remote, object: withoutFields(remote.object, apply) },
        local: withoutFields(local, push),
        ...(isData ? { twinSinceMs: this.input.nowMs } : {}),
      },
    });
  }

  private mergeKnown(
    key: ObjectKey,
    sides: { base: BaseEntry; local: SchemaObject; remote: RemoteSide },
    decision: Extract<Decision, { do: 'merge' }>,
  ): void {
    const { base, local, remote } = sides;
    const shorter = shortening(local, remote.object, decision);
    if (shorter !== undefined && this.isHeldByGuard(key, base, shorter)) return;
    if (decision.push.length > 0 && this.input.mode.push) {
      const object = withFields(remote.object, decision.push, local);
      this.merged.set(key, object);
      this.changed.push(key);
      // Only the pushed fields move, so that what still has to come from the cluster stays visible as a difference.
      this.pushMoves.set(key, {
        key,
        local: base.local ? withFields(base.local, decision.push, local) : local,
        remote: {
          object: base.remote ? withFields(base.remote.object, decision.push, local) : object,
          mark: remote.mark,
        },
        ...(base.twinSinceMs === undefined ? {} : { twinSinceMs: base.twinSinceMs }),
      });
    }
    const fields = this.appliedFields(key, remote.object, decision.apply);
    if (fields.length === 0) return;
    const target = withFields(local, fields, remote.object);
    this.apply({ kind: 'alter', key, before: local, target, fields, remote, base });
  }

  /** The agent does not take its own rights away: it could bring nothing in line afterwards. */
  private appliedFields(
    key: ObjectKey,
    remote: SchemaObject,
    fields: readonly string[],
  ): readonly string[] {
    const isRevoked = remote.kind === 'user' && !remote.value.admin && fields.includes('admin');
    if (!isRevoked || !this.isOwnUser(nameOf(key))) return fields;
    this.wait(
      key,
      'it is no admin in the cluster, and the agent itself uses this account here',
      'give the agent another account, or this one its rights back',
    );
    return fields.filter((field) => field !== 'admin');
  }

  private isOwnUser({ kind, path }: ObjectName): boolean {
    return kind === 'user' && path[0] === this.input.ownUser;
  }

  private holdOf(key: ObjectKey, entry: BaseEntry): HoldReason | undefined {
    if (this.input.remote.has(key) || !this.input.local.has(key)) return undefined;
    if (entry.hold !== undefined) return entry.hold;
    return this.input.isJoining ? joinHold(key, this.input) : undefined;
  }

  private hold(key: ObjectKey, entry: BaseEntry, reason: HoldReason): void {
    this.fates.set(key, 'waits');
    if (entry.hold === undefined) {
      const heldSinceMs = this.input.nowMs;
      this.moves.push({ key, entry: { hold: reason, heldSinceMs } });
    }
  }

  /** True where the guard stops the change; else it is counted, where nothing proves it. */
  private isHeldByGuard(key: ObjectKey, entry: BaseEntry, hold: GuardHold): boolean {
    if (hold.change === 'drop' && !holdsData(nameOf(key))) return false;
    if (!isStopped(key, entry, this.input)) {
      if (this.input.isAfterGap && entry.isApproved !== true) this.unproven.push({ key, ...hold });
      return false;
    }
    if (hold.change === 'drop') this.fates.set(key, 'waits');
    const isNoted = entry.guard?.change === hold.change && entry.guard.side === hold.side;
    if (!isNoted) {
      const heldSinceMs = this.input.nowMs;
      this.moves.push({ key, entry: { ...entry, guard: hold, heldSinceMs } });
    }
    return true;
  }

  private wait(key: ObjectKey, reason: string, remedy: string): void {
    this.pending.push({ key, reason, remedy });
  }

  private waitForTwin(key: ObjectKey): void {
    this.fates.set(key, 'waits');
    this.wait(
      key,
      'it was created twice, on nodes that had not seen each other, less than a minute ago; the drop of one of them waits for that minute',
      '',
    );
  }

  private isFreshTwin({ twinSinceMs }: BaseEntry): boolean {
    return twinSinceMs !== undefined && Math.abs(this.input.nowMs - twinSinceMs) < TWIN_HOLD_MS;
  }

  /** A child of something that goes: no step of its own. */
  private goWithParent(key: ObjectKey, fate: Fate): void {
    this.fates.set(key, fate);
    if (fate === 'goes-from-cluster') this.pushRemoval(key);
  }

  private fateOfParents(name: ObjectName): Fate {
    const fates = parentsOf(name).map((parent) => this.fates.get(parent) ?? 'stays');
    return (
      (['goes-from-cluster', 'goes-from-here', 'waits'] as const).find((fate) =>
        fates.includes(fate),
      ) ?? 'stays'
    );
  }

  /** What lies in a re-created database was created anew with it. */
  private isRecreatedHere(name: ObjectName): boolean {
    const { recreated } = this.input;
    return recreated.has(keyOf(name)) || parentsOf(name).some((parent) => recreated.has(parent));
  }

  private isHidden(name: ObjectName): boolean {
    const database = databaseOf(name);
    return database !== undefined && !this.input.isShared(database);
  }

  private forget(key: ObjectKey): void {
    if (this.input.entries.has(key)) this.moves.push({ key, entry: undefined });
  }

  private remoteSide(key: ObjectKey): RemoteSide | undefined {
    const object = this.input.remote.get(key);
    return object && { object, mark: this.input.marks.get(key) ?? 0 };
  }
}

/** The local object goes, what the cluster had stays noted: the creation of its successor follows. */
function keepRemote({ remote }: BaseEntry): BaseEntry | undefined {
  return remote && { remote };
}

function holdsData({ kind }: ObjectName): boolean {
  return kind === 'database' || kind === 'policy';
}
