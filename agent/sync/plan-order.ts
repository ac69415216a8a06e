// The order in which the planner considers objects: what a parent's fate means for a child is settled before the child.
import type { ObjectKey, ObjectKind } from '../../shared/meta/model.js';
import { nameOf, OBJECT_KINDS } from '../../shared/meta/model.js';
import type { PlanInput } from './plan-types.js';

/** Every known key, parents before children, otherwise by name, so that equal input gives an equal plan. */
export function keysInOrder({
  entries,
  local,
  remote,
}: Pick<PlanInput, 'entries' | 'local' | 'remote'>): ObjectKey[] {
  const ranks = new Map<ObjectKey, number>();
  const add = (key: ObjectKey, kind: ObjectKind) => ranks.set(key, OBJECT_KINDS.indexOf(kind));
  for (const [key, { kind }] of local) add(key, kind);
  for (const [key, { kind }] of remote) add(key, kind);
  for (const key of entries.keys()) if (!ranks.has(key)) add(key, nameOf(key).kind);
  return [...ranks]
    .sort(([a, left], [b, right]) => left - right || (a < b ? -1 : 1))
    .map(([key]) => key);
}
