// Completeness of owners: who may lack points of which groups; and groups that came with a server that had data.
import { AppError } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Owner, PlacedGroup } from '../../shared/placement/model.js';
import type { ClusterView } from '../metadata/cluster-views.js';
import type { Editor } from './editor.js';
import { noGroup } from './group-maker.js';
import type { LoadedPlacement } from './placement-feed.js';
import { factsOf, policyOf, type Facts } from './policies.js';
import { mapGroups, withGroup, type PlacementState } from './state.js';
import { adopted, markedComplete, markedIncomplete, orderUnsure } from './tellings.js';

export interface CompletenessDeps {
  readonly editor: Editor;
  readonly clock: Clock;
}

export interface Marking {
  readonly node: number;
  readonly groups: readonly number[] | 'all';
  readonly isComplete: boolean;
  /** One sentence; what is incomplete has one. */
  readonly why: string;
  /** Undefined: as it was. A mark as complete takes it away. */
  readonly isOrderUnsure: boolean | undefined;
  readonly by: string;
}

export interface Brought {
  readonly database: string;
  readonly policy: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
}

export class Completeness {
  constructor(private readonly deps: CompletenessDeps) {}

  /** Groups that the node does not own are passed over. Throws AppError `store-unavailable`. */
  mark(view: ClusterView, marking: Marking, signal: AbortSignal): Promise<LoadedPlacement> {
    const { node, groups, isComplete, why, by } = marking;
    const at = new Date(this.deps.clock.nowMs()).toISOString();
    const isMeant = (group: PlacedGroup) => groups === 'all' || groups.includes(group.id);
    return this.deps.editor.edit(
      view,
      (state) => {
        const changed: number[] = [];
        const next = mapGroups(state, (group) => {
          if (!isMeant(group)) return group;
          const after = withOwner(group, node, (owner) => marked(owner, marking, at));
          if (after !== group) changed.push(group.id);
          return after;
        });
        if (next === state) return { kind: 'unchanged' };
        const lacks = () =>
          why === '' ? orderUnsure(node, changed) : markedIncomplete(node, changed, why);
        const event = isComplete ? markedComplete(node, changed, by) : lacks();
        return { kind: 'changed', state: next, events: [event] };
      },
      signal,
    );
  }

  /** Takes the groups of a server that joined with data in, once each. Throws AppError `no-group` (409), `store-unavailable`. */
  async adopt(
    view: ClusterView,
    node: number,
    brought: readonly Brought[],
    signal: AbortSignal,
  ): Promise<LoadedPlacement> {
    const facts = await factsOf(view);
    return this.deps.editor.edit(
      view,
      (before) => {
        let state = before;
        const ids: number[] = [];
        for (const each of brought) {
          const next = withAdopted(state, node, each, facts);
          if (next !== state) ids.push(state.nextGroup);
          state = next;
        }
        if (state === before) return { kind: 'unchanged' };
        return { kind: 'changed', state, events: [adopted(node, ids)] };
      },
      signal,
    );
  }
}

function withAdopted(
  state: PlacementState,
  node: number,
  { database, policy, startNs, endNs }: Brought,
  facts: Facts | undefined,
): PlacementState {
  if (startNs >= endNs) {
    throw new AppError(
      'body-invalid',
      `body field groups: a group of ${JSON.stringify(database)} ends where it begins or before`,
      { status: 400 },
    );
  }
  const found = facts === undefined ? 'no database' : policyOf(facts, database, policy);
  if (typeof found === 'string') {
    throw noGroup(database, policy, `the cluster's metadata has ${found} of that name`);
  }
  const { databaseMark, policyMark } = found;
  const isKnown = (state.databases.get(database) ?? []).some(
    (group) =>
      group.isAdopted === true &&
      group.policy === policy &&
      group.databaseMark === databaseMark &&
      group.policyMark === policyMark &&
      group.startNs === startNs &&
      group.endNs === endNs &&
      group.shards.some(({ owners }) => owners.some((owner) => owner.node === node)),
  );
  if (isKnown) return state;
  return withGroup(state, {
    id: state.nextGroup,
    database,
    policy,
    databaseMark,
    policyMark,
    startNs,
    endNs,
    isAdopted: true,
    shards: [{ id: state.nextShard, owners: [{ node }] }],
  });
}

/** The same group where the node does not own it, or nothing changes. */
export function withOwner(
  group: PlacedGroup,
  node: number,
  change: (owner: Owner) => Owner,
): PlacedGroup {
  const shards = group.shards.map((shard) => {
    const owners = shard.owners.map((owner) => (owner.node === node ? change(owner) : owner));
    return owners.every((owner, index) => owner === shard.owners[index])
      ? shard
      : { ...shard, owners };
  });
  const isSame = shards.every((shard, index) => shard === group.shards[index]);
  return isSame ? group : { ...group, shards };
}

/** Since when and why it was first incomplete stays. */
function marked(owner: Owner, { isComplete, why, isOrderUnsure }: Marking, at: string): Owner {
  const { node, incomplete, orderUnsureSince } = owner;
  if (isComplete) {
    return incomplete === undefined && orderUnsureSince === undefined ? owner : { node };
  }
  const unsure = isOrderUnsure === true ? (orderUnsureSince ?? at) : orderUnsureSince;
  const lacks = why === '' ? incomplete : (incomplete ?? { since: at, why });
  if (lacks === incomplete && unsure === orderUnsureSince) return owner;
  return {
    node,
    ...(lacks === undefined ? {} : { incomplete: lacks }),
    ...(unsure === undefined ? {} : { orderUnsureSince: unsure }),
  };
}
