// One version of the placement as the manager changes it: as everybody sees it, with the groups by database and the ids that
// come next. Immutable; what a change leaves alone stays the same array, so that only what changed is written.
import { groupToWire, type PlacementBody } from '../../shared/api/placement.js';
import type { PlacedGroup } from '../../shared/placement/model.js';

export interface PlacementState {
  /** 0: there is none yet. */
  readonly version: number;
  readonly incarnation: string;
  readonly members: readonly number[];
  readonly out: readonly number[];
  readonly begun: boolean;
  readonly deletes: number;
  readonly nextGroup: number;
  readonly nextShard: number;
  /** By group: the version at which its cut was announced, for cuts that do not count yet. */
  readonly announced: ReadonlyMap<number, number>;
  /** Never with an empty list. */
  readonly databases: ReadonlyMap<string, readonly PlacedGroup[]>;
}

export const NO_STATE: PlacementState = {
  version: 0,
  incarnation: '',
  members: [],
  out: [],
  begun: false,
  deletes: 0,
  nextGroup: 1,
  nextShard: 1,
  announced: new Map(),
  databases: new Map(),
};

export function* groupsOf({ databases }: PlacementState): Generator<PlacedGroup> {
  for (const groups of databases.values()) yield* groups;
}

/** Changes each group, or takes it away (undefined). A database none of whose groups changed keeps its list. */
export function mapGroups(
  state: PlacementState,
  change: (group: PlacedGroup) => PlacedGroup | undefined,
): PlacementState {
  let isChanged = false;
  const databases = new Map<string, readonly PlacedGroup[]>();
  for (const [database, groups] of state.databases) {
    const after = groups.map(change);
    if (after.every((group, index) => group === groups[index])) {
      databases.set(database, groups);
      continue;
    }
    isChanged = true;
    const left = after.filter((group) => group !== undefined);
    if (left.length > 0) databases.set(database, left);
  }
  return isChanged ? { ...state, databases } : state;
}

/** With one more group, whose ids are the next ones. */
export function withGroup(state: PlacementState, group: PlacedGroup): PlacementState {
  const databases = new Map(state.databases);
  databases.set(group.database, [...(databases.get(group.database) ?? []), group]);
  return {
    ...state,
    databases,
    nextGroup: Math.max(state.nextGroup, group.id + 1),
    nextShard: Math.max(state.nextShard, ...group.shards.map(({ id }) => id + 1)),
  };
}

export function bodyOf(state: PlacementState): PlacementBody {
  const { version, incarnation, members, deletes } = state;
  const groups = [...groupsOf(state)].map(groupToWire);
  return { version, incarnation, members: [...members], deletes, groups };
}
