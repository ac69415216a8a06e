// Makes the groups that are asked for: for all who ask the same ones, from one view of the members and the newest metadata.
import { AppError } from '../../shared/errors/app-error.js';
import { isOfPolicy, makeGroup, type PolicyFacts } from '../../shared/placement/groups.js';
import { takes } from '../../shared/placement/rules.js';
import type { ClusterView } from '../metadata/cluster-views.js';
import type { Editor } from './editor.js';
import type { Members } from './members.js';
import type { LoadedPlacement } from './placement-feed.js';
import { factsOf, policyOf, type Facts } from './policies.js';
import { withGroup, type PlacementState } from './state.js';

export interface GroupMakerDeps {
  readonly editor: Editor;
  readonly members: Pick<Members, 'sync'>;
  /** `placement.min-replication` */
  readonly minReplication: number;
  /** `placement.initial-nodes` */
  readonly initialNodes: number;
}

export interface Wanted {
  readonly database: string;
  readonly policy: string;
  readonly timeNs: bigint;
}

export class GroupMaker {
  constructor(private readonly deps: GroupMakerDeps) {}

  /** The placement with a group for each of them. Throws AppError `no-group` (409), `store-unavailable`. */
  async ensure(
    view: ClusterView,
    wanted: readonly Wanted[],
    signal: AbortSignal,
  ): Promise<LoadedPlacement> {
    const facts = await factsOf(view);
    const { state } = await view.placement.load();
    // Whoever registered a moment ago may not be counted yet, where the manager that took it in died.
    if (state.members.length === 0) await this.deps.members.sync(view, signal);
    return this.deps.editor.edit(
      view,
      (before) => {
        const after = this.withGroups(before, wanted, facts);
        return after === before ? { kind: 'unchanged' } : { kind: 'changed', state: after };
      },
      signal,
    );
  }

  private withGroups(
    before: PlacementState,
    wanted: readonly Wanted[],
    facts: Facts | undefined,
  ): PlacementState {
    let state = before;
    for (const { database, policy, timeNs } of wanted) {
      const found = facts === undefined ? 'no database' : policyOf(facts, database, policy);
      if (typeof found === 'string') throw noGroup(database, policy, unknownWhy(found));
      if (isTaken(state, found, timeNs)) continue;
      this.assertMembers(state, found);
      state = addGroup(state, found, timeNs, this.deps.minReplication);
    }
    return state;
  }

  private assertMembers({ begun, members }: PlacementState, policy: PolicyFacts): void {
    if (begun && members.length > 0) return;
    const { initialNodes } = this.deps;
    const why = begun
      ? 'no node of the cluster counts for placement right now'
      : `${members.length} of the ${initialNodes} nodes of placement.initial-nodes have registered with a data plane`;
    throw noGroup(policy.database, policy.policy, why);
  }
}

export function isTaken(state: PlacementState, policy: PolicyFacts, timeNs: bigint): boolean {
  const groups = state.databases.get(policy.database) ?? [];
  return groups.some((group) => isOfPolicy(group, policy) && takes(group, timeNs));
}

/** With the group that takes `timeNs`; there is none yet, and at least one member. */
export function addGroup(
  state: PlacementState,
  policy: PolicyFacts,
  timeNs: bigint,
  minReplication: number,
): PlacementState {
  const group = makeGroup({
    members: state.members,
    minReplication,
    policy,
    timeNs,
    neighbours: state.databases.get(policy.database) ?? [],
    ids: { group: state.nextGroup, shard: state.nextShard },
  });
  return withGroup(state, group);
}

function unknownWhy(what: 'no database' | 'no policy'): string {
  return what === 'no database'
    ? "the cluster's metadata has no such database"
    : "the cluster's metadata has no such retention policy in that database";
}

export function noGroup(database: string, policy: string, why: string): AppError {
  return new AppError(
    'no-group',
    `there is no shard group for ${JSON.stringify(database)}.${JSON.stringify(policy)}, and none can be made: ${why}`,
    { status: 409, retryable: true, details: { reason: why, database, policy } },
  );
}
