// From base, local, remote and marks to what is to be pushed, applied and noted: the pure heart of the reconciler. Objects
// are decided one by one (decide.ts), parents before children, and what a parent's fate means for a child is settled here.
import type { ObjectKey, ObjectName, SchemaObject } from '../../shared/meta/model.js';
import { databaseOf, keyOf, nameOf, parentsOf, sameValue } from '../../shared/meta/model.js';
import type { BaseEntry, GuardHold, HoldReason, RemoteSide } from './base.js';
import type { Decision } from './decide.js';
import { decide } from './decide.js';
import { isMarked, isStopped, shortening, withoutGuard } from './guard.js';
import { joinHold } from './join-hold.js';
import type { Fate } from './plan-draft.js';
import { PlanDraft } from './plan-draft.js';
import type { MergeDecision, MergedSides } from './plan-merge.js';
import { isOwnUser, meet, mergeKnown } from './plan-merge.js';
import { keysInOrder } from './plan-order.js';
import type { Apply, Plan, PlanInput } from './plan-types.js';

/** A drop of an object whose two creations were merged is held so long: its other user may not know of the first. */
export const TWIN_HOLD_MS = 60_000;

export function plan(input: PlanInput): Plan {
  const planner = new Planner(input);
  for (const key of keysInOrder(input)) planner.consider(key);
  return planner.finish();
}

class Planner {
  private readonly draft: PlanDraft;

  constructor(private readonly input: PlanInput) {
    this.draft = new PlanDraft(input);
  }

  finish(): Plan {
    return this.draft.finish();
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
    if (this.draft.fates.size > 0 || recreated.size > 0) return false;
    const entry = entries.get(key);
    const here = local.get(key);
    const there = remote.get(key);
    return (
      entry?.local !== undefined &&
      entry.remote !== undefined &&
      !isMarked(entry) &&
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
        this.draft.moveAndLookAgain(key, undefined);
        return;
      case 'create-here':
        if (remote) this.draft.apply({ kind: 'create', key, target: remote.object, remote });
        return;
      case 'drop-here':
        if (local) this.dropHere(key, base, { kind: 'drop', key, before: local, entry: undefined });
        return;
      case 'replace-here':
        if (local)
          this.dropHere(key, base, { kind: 'drop', key, before: local, entry: keepRemote(base) });
        return;
      case 'push-create':
        if (local) this.draft.pushCreate(key, local);
        return;
      case 'push-drop':
        return this.pushDrop(key, base);
      case 'push-recreated':
        if (this.isHeldByGuard(key, base, { change: 'drop', side: 'cluster' })) return;
        this.draft.fates.set(key, 'goes-from-cluster');
        return this.draft.pushRemoval(key);
      case 'merge':
        if (local && remote) this.merge(key, { base, local, remote }, decision);
    }
  }

  /** What was held or stopped, and is no difference any more, is forgotten as such. */
  private nothing(key: ObjectKey): void {
    const entry = this.input.entries.get(key);
    if (entry?.hold !== undefined) this.draft.move(key, undefined);
    else if (entry !== undefined && isMarked(entry)) this.draft.move(key, withoutGuard(entry));
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
      this.draft.move(key, undefined);
      return;
    }
    const isTwin = base.local === undefined && base.remote === undefined && holdsData(name);
    const twinSinceMs = isTwin ? this.input.nowMs : base.twinSinceMs;
    this.draft.move(key, { remote, local, ...(twinSinceMs === undefined ? {} : { twinSinceMs }) });
  }

  private dropHere(key: ObjectKey, base: BaseEntry, drop: Extract<Apply, { kind: 'drop' }>): void {
    if (isOwnUser(key, this.input)) {
      this.draft.wait(
        key,
        'the agent itself uses this account here',
        'give the agent another account',
      );
      return;
    }
    if (this.isFreshTwin(base)) return this.waitForTwin(key);
    if (this.isHeldByGuard(key, base, { change: 'drop', side: 'here' })) return;
    this.draft.fates.set(key, 'goes-from-here');
    this.draft.apply(drop);
  }

  private pushDrop(key: ObjectKey, base: BaseEntry): void {
    const unproven = this.input.whyUnproven(key);
    if (unproven !== undefined) {
      this.draft.fates.set(key, 'waits');
      this.draft.wait(key, `dropped here, but that is not proven: ${unproven}`, '');
      return;
    }
    if (this.isFreshTwin(base)) return this.waitForTwin(key);
    if (this.isHeldByGuard(key, base, { change: 'drop', side: 'cluster' })) return;
    this.draft.fates.set(key, 'goes-from-cluster');
    this.draft.pushRemoval(key);
  }

  private merge(key: ObjectKey, sides: MergedSides, decision: MergeDecision): void {
    const { draft, input } = this;
    for (const conflict of decision.conflicts) draft.conflicts.push({ key, ...conflict });
    if (decision.isTwin) {
      const twinSinceMs = holdsData(nameOf(key)) ? input.nowMs : undefined;
      meet(key, sides, decision, { draft, twinSinceMs });
      return;
    }
    const shorter = shortening(sides.local, sides.remote.object, decision);
    if (shorter !== undefined && this.isHeldByGuard(key, sides.base, shorter)) return;
    mergeKnown(key, sides, decision, { draft, input });
  }

  private holdOf(key: ObjectKey, entry: BaseEntry): HoldReason | undefined {
    if (this.input.remote.has(key) || !this.input.local.has(key)) return undefined;
    if (entry.hold !== undefined) return entry.hold;
    return this.input.isJoining ? joinHold(key, this.input) : undefined;
  }

  private hold(key: ObjectKey, entry: BaseEntry, reason: HoldReason): void {
    this.draft.fates.set(key, 'waits');
    if (entry.hold === undefined) {
      const heldSinceMs = this.input.nowMs;
      this.draft.move(key, { hold: reason, heldSinceMs });
    }
  }

  /** True where the guard stops the change; else it is counted, where nothing proves it. */
  private isHeldByGuard(key: ObjectKey, entry: BaseEntry, hold: GuardHold): boolean {
    if (hold.change === 'drop' && !holdsData(nameOf(key))) return false;
    const { push, pull } = this.input.mode;
    if (!(hold.side === 'cluster' ? push : pull)) return false;
    if (!isStopped(key, entry, this.input)) {
      if (this.input.isAfterGap && entry.isApproved !== true)
        this.draft.unproven.push({ key, ...hold });
      return false;
    }
    if (hold.change === 'drop') this.draft.fates.set(key, 'waits');
    const isNoted = entry.guard?.change === hold.change && entry.guard.side === hold.side;
    if (!isNoted) {
      const heldSinceMs = this.input.nowMs;
      this.draft.move(key, { ...entry, guard: hold, heldSinceMs });
    }
    return true;
  }

  private waitForTwin(key: ObjectKey): void {
    this.draft.fates.set(key, 'waits');
    this.draft.wait(
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
    this.draft.fates.set(key, fate);
    if (fate === 'goes-from-cluster') this.draft.pushRemoval(key);
  }

  private fateOfParents(name: ObjectName): Fate {
    const fates = parentsOf(name).map((parent) => this.draft.fates.get(parent) ?? 'stays');
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
    if (this.input.entries.has(key)) this.draft.move(key, undefined);
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
