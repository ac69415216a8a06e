// A merged schema is made whole before it is pushed, by the same rules on every node: no privilege on a database that is
// gone, no default that names a policy which this very merge dropped.
import type { ObjectKey, Schema, SchemaObject } from '../../shared/meta/model.js';
import { keyOf, parentsOf } from '../../shared/meta/model.js';
import type { PushMove } from './base.js';

export function mendMerged(
  merged: Map<ObjectKey, SchemaObject>,
  moves: Map<ObjectKey, PushMove>,
  sides: { readonly remote: Schema; readonly local: Schema },
): void {
  dropOrphans(merged, moves);
  for (const [key, object] of merged) {
    if (object.kind === 'database') mendDefault(merged, moves, { key, object, ...sides });
  }
}

/** What lies in, or speaks of, something that is gone goes with it, as influxd does it. */
function dropOrphans(merged: Map<ObjectKey, SchemaObject>, moves: Map<ObjectKey, PushMove>): void {
  for (const [key, object] of merged) {
    if (parentsOf(object).every((parent) => merged.has(parent))) continue;
    merged.delete(key);
    moves.set(key, { key, local: undefined, remote: undefined });
  }
}

function mendDefault(
  merged: Map<ObjectKey, SchemaObject>,
  moves: Map<ObjectKey, PushMove>,
  at: {
    readonly key: ObjectKey;
    readonly object: Extract<SchemaObject, { kind: 'database' }>;
    readonly remote: Schema;
    readonly local: Schema;
  },
): void {
  const database = at.object.path[0];
  const policyKey = (policy: string) => keyOf({ kind: 'policy', path: [database, policy] });
  const current = policyKey(at.object.value.defaultPolicy);
  const isDroppedNow = !merged.has(current) && (at.remote.has(current) || at.local.has(current));
  if (!isDroppedNow) return;
  const other = [at.remote.get(at.key), at.local.get(at.key)]
    .map((object) => (object?.kind === 'database' ? object.value.defaultPolicy : ''))
    .find((policy) => merged.has(policyKey(policy)));
  if (other === undefined) return;
  const mended = { ...at.object, value: { defaultPolicy: other } };
  merged.set(at.key, mended);
  const move = moves.get(at.key);
  if (move?.remote) moves.set(at.key, { ...move, remote: { ...move.remote, object: mended } });
}
