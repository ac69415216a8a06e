// The placement as the manager has it, with the metadata that says which groups are void and what the default policies are.
import { marksFromWire, marksSchema } from '../shared/api/marks.js';
import { placementFromWire, placementSchema } from '../shared/api/placement.js';
import { decodedSnapshotSchema, type DecodedSnapshot } from '../shared/api/snapshots.js';
import { AppError } from '../shared/errors/app-error.js';
import { NO_MARKS, type Marks } from '../shared/meta/marks.js';
import { NO_PLACEMENT, type PlacedGroup, type Placement } from '../shared/placement/model.js';
import { isVoid } from '../shared/placement/rules.js';
import { clusterPath, type Target } from './commands/target.js';

export interface PlacementView {
  readonly placement: Placement;
  readonly marks: Marks;
  /** Undefined: the cluster has no metadata yet. */
  readonly snapshot: DecodedSnapshot | undefined;
}

export interface Filter {
  readonly database?: string;
  readonly policy?: string;
}

/** Throws AppError `manager-…`, `cluster-not-found`. */
export async function readPlacement({ api, cluster }: Target): Promise<PlacementView> {
  const path = (rest: string) => clusterPath(cluster, rest);
  const [body, snapshot] = await Promise.all([
    api.jsonOrNothing(path('/placement/0?wait=0s'), placementSchema),
    api.jsonOrNothing(path('/versions/0?wait=0s'), decodedSnapshotSchema),
  ]);
  const marks =
    snapshot === undefined
      ? NO_MARKS
      : marksFromWire(await api.json(path(`/marks/${snapshot.version}`), marksSchema));
  return {
    placement: body === undefined ? NO_PLACEMENT : placementFromWire(body),
    marks,
    snapshot,
  };
}

/** Those of the filter, by database, policy and time. */
export function groupsIn(
  { placement }: Pick<PlacementView, 'placement'>,
  { database, policy }: Filter,
): PlacedGroup[] {
  return placement.groups
    .filter(
      (group) =>
        (database ?? group.database) === group.database &&
        (policy ?? group.policy) === group.policy,
    )
    .sort(byPlace);
}

/** Those that may hold points of a database now. */
export function liveGroups(
  view: Pick<PlacementView, 'placement' | 'marks'>,
  filter: Filter,
): PlacedGroup[] {
  return groupsIn(view, filter).filter((group) => !isVoid(group, view.marks));
}

/** Throws AppError `usage` where neither is given, or the database or its default policy is not there. */
export function policyNamed(
  { snapshot }: Pick<PlacementView, 'snapshot'>,
  { database, policy }: Filter,
): { readonly database: string; readonly policy: string } {
  if (database === undefined || database === '') {
    throw new AppError('usage', 'name the database: --database');
  }
  const found = snapshot?.databases.find(({ name }) => name === database);
  if (found === undefined) {
    throw new AppError(
      'database-not-found',
      `the cluster has no database ${JSON.stringify(database)}; \`clusterflux meta show\` lists those that are`,
      { status: 404 },
    );
  }
  const name = policy === undefined || policy === '' ? found['default-policy'] : policy;
  if (found.policies.some((each) => each.name === name)) return { database, policy: name };
  throw new AppError(
    'usage',
    `the database ${JSON.stringify(database)} has no retention policy ${JSON.stringify(name)}; name one with --policy`,
  );
}

function byPlace(a: PlacedGroup, b: PlacedGroup): number {
  if (a.database !== b.database) return a.database < b.database ? -1 : 1;
  if (a.policy !== b.policy) return a.policy < b.policy ? -1 : 1;
  if (a.startNs !== b.startNs) return a.startNs < b.startNs ? -1 : 1;
  return a.id - b.id;
}
