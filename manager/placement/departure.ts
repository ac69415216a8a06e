// Whether a node may be deregistered: not while it is the only complete owner of a group, or holds hints for others. By force
// it may, and what is lost with it is told.
import { formatTime } from '../../shared/influx/time.js';
import { AppError } from '../../shared/errors/app-error.js';
import type { PlacedGroup } from '../../shared/placement/model.js';
import { isVoid } from '../../shared/placement/rules.js';
import type { ClusterView } from '../metadata/cluster-views.js';
import { statusRecord } from '../nodes/records.js';
import { numberOf } from '../store/keys.js';
import type { Entry, Store } from '../store/port.js';
import { rangeAll } from '../store/range-all.js';
import { decodeRecord } from '../store/records.js';
import type { Members } from './members.js';
import { factsOf } from './policies.js';
import { groupsOf, type PlacementState } from './state.js';

/** So many groups are named in an answer; the rest is counted. */
const NAMED_GROUPS = 100;

export interface Loss {
  /** Groups that would have no complete owner any more. */
  readonly groups: readonly PlacedGroup[];
  /** Nodes that it holds hints for. */
  readonly hintsFor: readonly number[];
}

export class Departure {
  constructor(
    private readonly deps: { readonly store: Store; readonly members: Pick<Members, 'registered'> },
  ) {}

  /** What would be lost with the node. Throws AppError `store-unavailable`. */
  async lossOf(view: ClusterView, node: number, signal: AbortSignal): Promise<Loss> {
    const { store, members } = this.deps;
    const { keys } = view;
    const [{ state }, facts, nodes, status, flags] = await Promise.all([
      view.placement.load(),
      factsOf(view),
      members.registered(view, signal),
      store.get(keys.statusOf(node), { signal }),
      rangeAll(store, keys.placement.behind, { keysOnly: true, signal }),
    ]);
    const others = new Set(nodes.map(({ id }) => id).filter((id) => id !== node));
    return {
      // What was dropped needs nobody.
      groups: onlyCompleteIn(state, node, others).filter(
        (group) => facts === undefined || !isVoid(group, facts.marks),
      ),
      hintsFor: hintsFor(node, status, flags.entries),
    };
  }
}

function onlyCompleteIn(
  state: PlacementState,
  node: number,
  others: ReadonlySet<number>,
): PlacedGroup[] {
  return [...groupsOf(state)].filter(({ shards }) =>
    shards.some(({ owners }) => {
      const complete = owners.filter(({ incomplete }) => incomplete === undefined);
      return (
        complete.some((owner) => owner.node === node) &&
        !complete.some((owner) => others.has(owner.node))
      );
    }),
  );
}

function hintsFor(node: number, status: Entry | undefined, flags: readonly Entry[]): number[] {
  const owners = new Set<number>();
  if (status !== undefined) {
    const { hints } = decodeRecord(status, statusRecord);
    for (const { owner, bytes } of hints) if (bytes > 0) owners.add(owner);
  }
  for (const { key } of flags) {
    if (numberOf(key) === node) owners.add(numberOf(key.slice(0, key.lastIndexOf('/'))));
  }
  return [...owners].sort((a, b) => a - b);
}

export function isLoss({ groups, hintsFor: owners }: Loss): boolean {
  return groups.length > 0 || owners.length > 0;
}

export function nodeNeeded(node: number, { groups, hintsFor: owners }: Loss): AppError {
  const reasons = [
    ...(groups.length === 0
      ? []
      : [`it is the only complete owner of ${groups.length} shard groups`]),
    ...(owners.length === 0
      ? []
      : [`it holds hints for ${owners.map((id) => `node ${id}`).join(', ')}`]),
  ];
  return new AppError(
    'node-needed',
    `node ${node} was not deregistered: ${reasons.join(' and ')}; let its hints drain and its groups be repaired or expire, or repeat with ?force=true and lose them`,
    {
      status: 409,
      details: {
        groups: groups.slice(0, NAMED_GROUPS).map(shown),
        'groups-omitted': Math.max(0, groups.length - NAMED_GROUPS),
        'hints-for': owners,
      },
    },
  );
}

function shown({ id, database, policy, startNs, endNs }: PlacedGroup): object {
  return { id, database, policy, start: formatTime(startNs), end: formatTime(endNs) };
}
