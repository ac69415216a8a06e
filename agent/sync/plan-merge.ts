// What becomes of an object that both sides have with different values: fields that go to the cluster, fields that come from it.
import type { ObjectKey, SchemaObject } from '../../shared/meta/model.js';
import { nameOf } from '../../shared/meta/model.js';
import type { BaseEntry, RemoteSide } from './base.js';
import type { Decision } from './decide.js';
import { withFields, withoutFields } from './decide.js';
import type { PlanDraft } from './plan-draft.js';
import type { PlanInput } from './plan-types.js';

export type MergeDecision = Extract<Decision, { do: 'merge' }>;

export interface MergedSides {
  readonly base: BaseEntry;
  readonly local: SchemaObject;
  readonly remote: RemoteSide;
}

/**
 * Two creations that had not seen each other: from now on they are one, noted as in line but for the fields that differ,
 * which the next tick sees as changes of one side. So a user whose password can't be set here is known all the same.
 */
export function meet(
  key: ObjectKey,
  { local, remote }: MergedSides,
  { push, apply }: MergeDecision,
  { draft, twinSinceMs }: { readonly draft: PlanDraft; readonly twinSinceMs: number | undefined },
): void {
  draft.moveAndLookAgain(key, {
    remote: { ...remote, object: withoutFields(remote.object, apply) },
    local: withoutFields(local, push),
    ...(twinSinceMs === undefined ? {} : { twinSinceMs }),
  });
}

/** Both sides know of each other: each field goes where it has not changed. */
export function mergeKnown(
  key: ObjectKey,
  sides: MergedSides,
  decision: MergeDecision,
  { draft, input }: { readonly draft: PlanDraft; readonly input: Pick<PlanInput, 'ownUser'> },
): void {
  const { base, local, remote } = sides;
  const { push } = decision;
  if (push.length > 0) {
    const object = withFields(remote.object, push, local);
    // Only the pushed fields move, so that what still has to come from the cluster stays visible as a difference.
    draft.push(object, {
      key,
      local: base.local ? withFields(base.local, push, local) : local,
      remote: {
        object: base.remote ? withFields(base.remote.object, push, local) : object,
        mark: remote.mark,
      },
      ...(base.twinSinceMs === undefined ? {} : { twinSinceMs: base.twinSinceMs }),
    });
  }
  const isOwn = isOwnUser(key, input) && isRevoked(remote.object, decision);
  const fields = isOwn ? decision.apply.filter((field) => field !== 'admin') : decision.apply;
  // The agent does not take its own rights away: it could bring nothing in line afterwards.
  if (isOwn) {
    const reason = 'it is no admin in the cluster, and the agent itself uses this account here';
    draft.wait(key, reason, 'give the agent another account, or this one its rights back');
  }
  if (fields.length === 0) return;
  const target = withFields(local, fields, remote.object);
  draft.apply({ kind: 'alter', key, before: local, target, fields, remote, base });
}

function isRevoked(remote: SchemaObject, { apply }: MergeDecision): boolean {
  return remote.kind === 'user' && !remote.value.admin && apply.includes('admin');
}

/** Whether this is the account that the agent itself uses. */
export function isOwnUser(key: ObjectKey, { ownUser }: Pick<PlanInput, 'ownUser'>): boolean {
  const { kind, path } = nameOf(key);
  return kind === 'user' && path[0] === ownUser;
}
