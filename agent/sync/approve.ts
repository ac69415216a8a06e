// A person's decision on everything that is held, as moves of the base: the next plan then carries it out.
import type { ApprovalOrder, Decision } from '../../shared/api/orders.js';
import type { ObjectKey, Schema, SchemaObject } from '../../shared/meta/model.js';
import { nameOf, parentsOf } from '../../shared/meta/model.js';
import type { BaseEntry, GuardHold, Move, RemoteSide } from './base.js';
import { withoutFields } from './decide.js';
import { withoutGuard } from './guard.js';
import { digestOfHeld, heldItems } from './held.js';
import type { RemoteState } from './remote-view.js';

export interface Sides {
  readonly entries: ReadonlyMap<ObjectKey, BaseEntry>;
  readonly local: Schema;
  readonly remote: Pick<RemoteState, 'schema' | 'marks'>;
}

/** The moves of an approval; none where it names another list than the one that is held now. */
export function movesOfApproval(approval: ApprovalOrder, sides: Sides): Move[] {
  const items = heldItems(sides.entries, undefined);
  if (items.length === 0 || digestOfHeld(items) !== approval.digest) return [];
  const moves = new Map<ObjectKey, Move>();
  for (const { object: key } of items) {
    for (const move of decided(key, approval.decision, sides)) moves.set(move.key, move);
  }
  return [...moves.values()];
}

/** `drop`: what is held goes where it still is. `keep`: it stays, everywhere. */
function decided(key: ObjectKey, decision: Decision, sides: Sides): Move[] {
  const entry = sides.entries.get(key) ?? {};
  const local = sides.local.get(key);
  if (entry.hold !== undefined) {
    // "Here, and not wanted by the cluster" is dropped; what is not known at all is new, and shared.
    const isDropped = decision === 'drop' && local !== undefined;
    return [{ key, entry: isDropped ? { local, isApproved: true } : undefined }];
  }
  if (entry.guard === undefined) return [];
  const { guard } = entry;
  if (decision === 'drop') return [{ key, entry: { ...withoutGuard(entry), isApproved: true } }];
  return guard.change === 'drop'
    ? keptWhole(key, guard, sides)
    : [{ key, entry: keptDuration(key, guard, sides) }];
}

/**
 * A dropped object that is kept: what lies in it too. Where it is only here it becomes new to the cluster; where only the
 * cluster has it, the base says that it is yet to be created here.
 */
function keptWhole(key: ObjectKey, { side }: GuardHold, { entries, local }: Sides): Move[] {
  const moves: Move[] = [];
  for (const [each, { remote }] of entries) {
    if (each !== key && !parentsOf(nameOf(each)).includes(key)) continue;
    const isToCreate = side === 'cluster' && remote !== undefined && !local.has(each);
    moves.push({ key: each, entry: isToCreate ? { remote } : undefined });
  }
  return moves;
}

/** The longer duration stays: the side that has it counts as changed in that field, and the other one as unchanged. */
function keptDuration(key: ObjectKey, { side }: GuardHold, sides: Sides): BaseEntry | undefined {
  const local = sides.local.get(key);
  const remote = remoteSide(key, sides);
  if (local === undefined || remote === undefined) return undefined;
  return side === 'cluster'
    ? { local, remote: { ...remote, object: withoutDuration(remote.object) } }
    : { local: withoutDuration(local), remote };
}

function withoutDuration(object: SchemaObject): SchemaObject {
  return withoutFields(object, ['durationNs']);
}

function remoteSide(key: ObjectKey, { remote }: Sides): RemoteSide | undefined {
  const object = remote.schema.get(key);
  return object && { object, mark: remote.marks.marks.get(key) ?? 0 };
}
