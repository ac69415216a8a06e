// Whether a batch belongs to this node: compared with the placement and the metadata that this node knows by now, after it
// has caught up with the sender. Pure.
import type { Metadata } from '../metadata/port.js';
import type { PlacedGroup, Placement } from '../../../shared/placement/model.js';
import type { ApplyOutcome, Batch } from './port.js';

export type Route =
  { readonly kind: 'ours' } | Extract<ApplyOutcome, { kind: 'gone' | 'stale' | 'failed' }>;

export interface RouteView {
  readonly placement: Pick<Placement, 'version'>;
  /** The batch's group in it; undefined: it has none of that id. */
  readonly group: PlacedGroup | undefined;
  readonly metadata: Metadata;
  /** This node's id. */
  readonly node: number;
}

export function routeOf(batch: Batch, { placement, group, metadata, node }: RouteView): Route {
  const fate = fateOf(batch, metadata);
  if (fate !== undefined) return fate;
  const stale: Route = {
    kind: 'stale',
    placementVersion: placement.version,
    metadataVersion: metadata.version,
  };
  const shard = group?.shards.find(({ id }) => id === batch.shard);
  if (group === undefined || shard === undefined) return stale;
  if (group.databaseMark !== batch.databaseMark || group.policyMark !== batch.policyMark) {
    return stale;
  }
  if (!shard.owners.some((owner) => owner.node === node)) return stale;
  // Points behind the cut go to another group. A hint was taken in when they did not: the other owners have them here too.
  const isCutSince = group.cut?.counts === true && placement.version > batch.placementVersion;
  if (isCutSince && !batch.isHint) return stale;
  return { kind: 'ours' };
}

/** Whether the database and policy that were meant are still there. Undefined: they are. */
function fateOf(batch: Batch, { databases }: Metadata): Route | undefined {
  const name = `${JSON.stringify(batch.database)}.${JSON.stringify(batch.policy)}`;
  const database = databases.get(batch.database);
  if (database === undefined) return gone(`the database of ${name} was dropped`);
  const policy = database.policies.get(batch.policy);
  if (policy === undefined && database.mark === batch.databaseMark) {
    return gone(`the retention policy ${name} was dropped`);
  }
  const isLater = database.mark > batch.databaseMark || (policy?.mark ?? 0) > batch.policyMark;
  if (isLater) return gone(`${name} was dropped, and another one bears its name now`);
  const isSame = database.mark === batch.databaseMark && policy?.mark === batch.policyMark;
  return isSame ? undefined : { kind: 'failed', why: `this node knows an older ${name} only` };
}

function gone(why: string): Route {
  return { kind: 'gone', why };
}
