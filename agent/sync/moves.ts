// How the base moves when a push was accepted or a statement has happened: only what was brought in line, nothing more.
import type { ObjectKey, SchemaObject } from '../../shared/meta/model.js';
import { nameOf, parentsOf } from '../../shared/meta/model.js';
import type { BaseEntry, Move, PushMove } from './base.js';
import { withFields } from './decide.js';
import type { Apply } from './plan-types.js';

/** The moves of a push that became `version`. */
export function movesOfPush(moves: readonly PushMove[], version: number): Move[] {
  return moves.map(({ key, local, remote, twinSinceMs }) => {
    if (local === undefined && remote === undefined) return { key, entry: undefined };
    const side = remote && {
      object: remote.object,
      mark: remote.mark === 'new' ? version : remote.mark,
    };
    const twin = twinSinceMs === undefined ? {} : { twinSinceMs };
    return { key, entry: { ...(side && { remote: side }), ...(local && { local }), ...twin } };
  });
}

/** A created object: the cluster's value on one side, what influxd made of it on the other. */
export function moveOfCreate(
  { key, target, remote }: Extract<Apply, { kind: 'create' }>,
  found: SchemaObject,
): Move {
  if (target.kind === 'database' && found.kind === 'database') {
    // The default may have to be set later: on the base's remote side it is what it is here, so that it stays visible.
    return { key, entry: { remote: { ...remote, object: found }, local: found } };
  }
  return { key, entry: { remote, local: found } };
}

/** An altered object: the fields that the statement set, on both sides. */
export function moveOfAlter(
  { key, base, target, remote }: Extract<Apply, { kind: 'alter' }>,
  fields: readonly string[],
): Move {
  const object = base.remote
    ? withFields(base.remote.object, fields, remote.object)
    : remote.object;
  return {
    key,
    entry: {
      ...base,
      remote: { object, mark: remote.mark },
      local: base.local ? withFields(base.local, fields, target) : target,
    },
  };
}

/** A dropped object takes along what lies in it or speaks of it; where a successor is to come, the cluster's side stays. */
export function movesOfDrop(
  apply: Extract<Apply, { kind: 'drop' }>,
  entries: ReadonlyMap<ObjectKey, BaseEntry>,
): Move[] {
  const moves: Move[] = [{ key: apply.key, entry: apply.entry }];
  const keepsRemote = apply.entry !== undefined;
  for (const [key, { remote }] of entries) {
    if (key === apply.key || !isBelow(key, apply.key)) continue;
    moves.push({ key, entry: keepsRemote && remote ? { remote } : undefined });
  }
  return moves;
}

function isBelow(key: ObjectKey, ancestor: ObjectKey): boolean {
  return parentsOf(nameOf(key)).includes(ancestor);
}
