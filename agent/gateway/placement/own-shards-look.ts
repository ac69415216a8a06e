// Compares what influxd has loaded with what it had when it was last looked at. Pure: which groups of the placement this node
// still has, and which may lack points.
import type { KnownGroup, Lineage } from '../../../shared/meta/lineage.js';
import type { PlacedGroup } from '../../../shared/placement/model.js';
import type { OwnShardsState } from './own-shards-state.js';

export interface ShardsSeen {
  readonly lineage: Pick<Lineage, 'clusterId' | 'term' | 'index' | 'groups'>;
  /** Ids of the shards that influxd has open. */
  readonly loaded: ReadonlySet<string>;
  /** Groups of the placement that this node owns a shard of, none of them void. */
  readonly owned: readonly PlacedGroup[];
  /** Groups of which points had been written here before `loaded` was asked for. */
  readonly written: ReadonlySet<number>;
  /** True for a group whose points are older than its policy keeps them: influxd drops those by itself. */
  readonly isExpired: (group: PlacedGroup) => boolean;
}

const OTHER_SERVER =
  'the influxd here is another one, or an older copy, than the one that had its points';
const NOT_LOADED = 'influxd has no longer loaded a shard that had its points';

/** What is known after a look; groups that the placement has no longer are forgotten. */
export function looked(before: OwnShardsState, seen: ShardsSeen): OwnShardsState {
  const { lineage, owned, isExpired } = seen;
  const isSameServer = isLaterState(before, lineage);
  const shards = new Map<number, readonly string[]>();
  const lost = new Map<number, string>();
  const written = new Set<number>();
  for (const group of owned) {
    const known = before.lost.get(group.id);
    if (known !== undefined) lost.set(group.id, known);
    if (isExpired(group)) continue;
    const { loaded, dropped } = localShards(group, seen);
    const had = (before.shards.get(group.id) ?? []).filter((id) => !dropped.has(id));
    const isGone = seen.written.has(group.id) && loaded.length === 0 && dropped.size === 0;
    if (!isSameServer) lost.set(group.id, OTHER_SERVER);
    else if (isGone || had.some((id) => !seen.loaded.has(id))) lost.set(group.id, NOT_LOADED);
    if (loaded.length > 0) shards.set(group.id, loaded);
    // Once it was said that they are gone, only what is written from then on counts.
    if (before.written.has(group.id) && !isGone) written.add(group.id);
  }
  return {
    isAdopted: before.isAdopted,
    clusterId: lineage.clusterId,
    term: BigInt(lineage.term),
    index: BigInt(lineage.index),
    shards,
    lost,
    written,
  };
}

/** Local groups of shared databases that have loaded shards, by their times: what a server brings along. */
export function broughtGroups(
  { lineage, loaded }: Pick<ShardsSeen, 'lineage' | 'loaded'>,
  isShared: (database: string) => boolean,
): KnownGroup[] {
  return lineage.groups.filter(
    ({ database, deleted, shards }) =>
      !deleted && isShared(database) && shards.some((id) => loaded.has(id)),
  );
}

/** Provably the server last seen, or a later state of it. The first look has nothing to compare with. */
function isLaterState(
  before: OwnShardsState,
  { clusterId, term, index }: ShardsSeen['lineage'],
): boolean {
  if (before.clusterId === '') return true;
  if (before.clusterId !== clusterId || BigInt(term) < before.term) return false;
  return BigInt(index) >= before.index;
}

/**
 * The shards of influxd's own groups that overlap in time: their bounds need not be the placement's. `dropped`: of groups that
 * influxd has deleted itself, because they are older than its policy keeps them.
 */
function localShards(
  group: PlacedGroup,
  { lineage, loaded }: ShardsSeen,
): { readonly loaded: string[]; readonly dropped: ReadonlySet<string> } {
  const overlapping = lineage.groups.filter(
    ({ database, policy, startNs, endNs }) =>
      database === group.database &&
      policy === group.policy &&
      BigInt(startNs) < group.endNs &&
      BigInt(endNs) > group.startNs,
  );
  const idsOf = (isDeleted: boolean) =>
    overlapping.filter(({ deleted }) => deleted === isDeleted).flatMap(({ shards }) => shards);
  return { loaded: idsOf(false).filter((id) => loaded.has(id)), dropped: new Set(idsOf(true)) };
}
