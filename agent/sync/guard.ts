// What the guard knows of one object: whether it stops its change, and what counts as a shorter duration.
import { isShorter } from '../../shared/meta/guard-rule.js';
import type { ObjectKey, SchemaObject } from '../../shared/meta/model.js';
import type { BaseEntry, GuardHold } from './base.js';
import type { PlanInput } from './plan-types.js';

/** Whether the guard stops a change of this object: it did before, or does now. */
export function isStopped(
  key: ObjectKey,
  entry: BaseEntry,
  { guarded }: Pick<PlanInput, 'guarded'>,
): boolean {
  if (entry.isApproved === true) return false;
  return entry.guard !== undefined || guarded.has(key);
}

/** How a merge of a policy would shorten its duration, if it does. */
export function shortening(
  local: SchemaObject,
  remote: SchemaObject,
  fields: { readonly push: readonly string[]; readonly apply: readonly string[] },
): GuardHold | undefined {
  if (local.kind !== 'policy' || remote.kind !== 'policy') return undefined;
  const ours = local.value.durationNs;
  const theirs = remote.value.durationNs;
  if (fields.push.includes('durationNs') && isShorter(ours, theirs)) {
    return { change: 'shorten', side: 'cluster' };
  }
  if (fields.apply.includes('durationNs') && isShorter(theirs, ours)) {
    return { change: 'shorten', side: 'here' };
  }
  return undefined;
}

/** The guard has something to say about it, or a person had. */
export function isMarked({ guard, isApproved }: BaseEntry): boolean {
  return guard !== undefined || isApproved === true;
}

/** The change was taken back, or made, or a person decided. */
export function withoutGuard(entry: BaseEntry): BaseEntry {
  const { guard, heldSinceMs, isApproved, ...rest } = entry;
  const isUnmarked = guard === undefined && heldSinceMs === undefined && isApproved === undefined;
  return isUnmarked ? entry : rest;
}
