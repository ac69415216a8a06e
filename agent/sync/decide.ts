// What to do about one named object: a pure function of its base, its local and its remote state. The rules are those of
// docs/sync.md, "Decisions"; each odd-looking one stands against a loss that was found by an exhaustive model.
import type { SchemaObject } from '../../shared/meta/model.js';
import { sameValue } from '../../shared/meta/model.js';
import type { BaseEntry, RemoteSide } from './base.js';

export interface Sides {
  readonly base: BaseEntry;
  readonly local: SchemaObject | undefined;
  readonly remote: RemoteSide | undefined;
  /** The local object bears the known name, and is provably another one (its shards are gone and unloaded). */
  readonly isRecreatedHere: boolean;
}

/** Two different changes of one field; the committed (remote) one wins and both are reported. */
export interface FieldConflict {
  readonly field: string;
  readonly local: unknown;
  readonly remote: unknown;
}

export type Decision =
  | { readonly do: 'nothing' }
  /** Both sides are in line as they are: only the base moves. */
  | { readonly do: 'settle' }
  /** What the base knows is another object than those that are there now: it is forgotten, and they are looked at afresh. */
  | { readonly do: 'forget' }
  | { readonly do: 'create-here' }
  | { readonly do: 'drop-here' }
  /** The cluster has another object of this name: drop ours, then create (two steps, two ticks). */
  | { readonly do: 'replace-here' }
  | { readonly do: 'push-create' }
  | { readonly do: 'push-drop' }
  /** Ours is another object of this name: push a drop, then (next tick) its creation. */
  | { readonly do: 'push-recreated' }
  /** Both exist: fields that go to the cluster, fields that come from it; the rest is in line. */
  | {
      readonly do: 'merge';
      readonly push: readonly string[];
      readonly apply: readonly string[];
      readonly conflicts: readonly FieldConflict[];
      /** Two creations that had not seen each other. */
      readonly isTwin: boolean;
    };

export function decide(sides: Sides): Decision {
  const { base, local, remote } = sides;
  const localChanged = sides.isRecreatedHere || !sameValue(local?.value, base.local?.value);
  const isReplacedThere =
    remote !== undefined && base.remote !== undefined && remote.mark !== base.remote.mark;
  const remoteChanged =
    isReplacedThere || !sameValue(remote?.object.value, base.remote?.object.value);

  if (!localChanged && !remoteChanged) {
    return finishHalfWay(local, remote);
  }
  if (!localChanged) return followRemote(sides, isReplacedThere);
  if (!remoteChanged) return followLocal(sides);
  return resolve(sides, isReplacedThere);
}

/**
 * Neither side changed since the base was noted, yet only one of them has the object: a step was cut short (a query dropped
 * to be created anew), or influxd made something by itself that the cluster does not want (an autogen policy).
 */
function finishHalfWay(local: SchemaObject | undefined, remote: RemoteSide | undefined): Decision {
  if ((local === undefined) === (remote === undefined)) return { do: 'nothing' };
  return { do: local === undefined ? 'create-here' : 'drop-here' };
}

function followRemote(sides: Sides, isReplacedThere: boolean): Decision {
  const { local, remote } = sides;
  if (remote === undefined) return { do: local === undefined ? 'settle' : 'drop-here' };
  if (local === undefined) return { do: 'create-here' };
  return isReplacedThere ? { do: 'replace-here' } : mergeFields(sides);
}

function followLocal(sides: Sides): Decision {
  const { local, remote } = sides;
  if (local === undefined) return { do: remote === undefined ? 'settle' : 'push-drop' };
  if (remote === undefined) return { do: sides.isRecreatedHere ? 'forget' : 'push-create' };
  return sides.isRecreatedHere ? { do: 'push-recreated' } : mergeFields(sides);
}

/** Both sides changed. Dropped on one side, changed on the other: the drop wins, unless it is another object by now. */
function resolve(sides: Sides, isReplacedThere: boolean): Decision {
  const { base, local, remote, isRecreatedHere } = sides;
  if (local === undefined) {
    if (remote === undefined) return { do: 'settle' };
    const isAnother = isReplacedThere || base.remote === undefined;
    return { do: isAnother ? 'create-here' : 'push-drop' };
  }
  if (remote === undefined) {
    if (isRecreatedHere) return { do: 'forget' };
    return { do: base.local === undefined ? 'push-create' : 'drop-here' };
  }
  if (isReplacedThere && !isRecreatedHere && base.local !== undefined) {
    return { do: 'replace-here' };
  }
  if (isRecreatedHere && !isReplacedThere && base.remote !== undefined) {
    return { do: 'push-recreated' };
  }
  // Created anew on both sides, neither knowing of the other.
  if (isRecreatedHere || isReplacedThere) return { do: 'forget' };
  return mergeFields(sides);
}

/** Field by field, each side against its own base. */
function mergeFields({ base, local, remote }: Sides): Decision {
  if (local === undefined || remote === undefined) throw new Error('merging needs both sides');
  const isTwin = base.local === undefined && base.remote === undefined;
  const push: string[] = [];
  const apply: string[] = [];
  const conflicts: FieldConflict[] = [];
  for (const field of fieldsOf(local, remote.object)) {
    const ours = fieldOf(local, field);
    const theirs = fieldOf(remote.object, field);
    const oursChanged = !sameField(ours, fieldOf(base.local, field));
    const theirsChanged = !sameField(theirs, fieldOf(base.remote?.object, field));
    if (oursChanged && theirsChanged) {
      if (sameField(ours, theirs)) continue;
      const oursWins = isTwin && isLongerDuration(local, field, ours, theirs);
      (oursWins ? push : apply).push(field);
      conflicts.push({ field, local: ours, remote: theirs });
    } else if (oursChanged) push.push(field);
    else if (theirsChanged) apply.push(field);
  }
  if (push.length === 0 && apply.length === 0) return { do: 'settle' };
  return { do: 'merge', push, apply, conflicts, isTwin };
}

function fieldsOf(a: SchemaObject, b: SchemaObject): string[] {
  return [...new Set([...Object.keys(a.value), ...Object.keys(b.value)])];
}

export function fieldOf(object: SchemaObject | undefined, field: string): unknown {
  return object === undefined ? undefined : (object.value as Record<string, unknown>)[field];
}

function sameField(a: unknown, b: unknown): boolean {
  return Array.isArray(a) || Array.isArray(b) ? JSON.stringify(a) === JSON.stringify(b) : a === b;
}

/** Of two durations that met without knowing of each other the longer one stays: shortening deletes data. 0 is for ever. */
function isLongerDuration(
  object: SchemaObject,
  field: string,
  ours: unknown,
  theirs: unknown,
): boolean {
  if (object.kind !== 'policy' || field !== 'durationNs') return false;
  return theirs !== 0n && (ours === 0n || (ours as bigint) > (theirs as bigint));
}

/** `object` with these fields taken from `source`. */
export function withFields(
  object: SchemaObject,
  fields: readonly string[],
  source: SchemaObject,
): SchemaObject {
  const taken = Object.fromEntries(fields.map((field) => [field, fieldOf(source, field)]));
  return { ...object, value: { ...object.value, ...taken } } as SchemaObject;
}

/** `object` as if these fields were not known; only the base has such objects. */
export function withoutFields(object: SchemaObject, fields: readonly string[]): SchemaObject {
  const known = Object.entries(object.value).filter(([field]) => !fields.includes(field));
  const value: unknown = Object.fromEntries(known);
  return { ...object, value } as SchemaObject;
}
