// The slow work on one cluster's placement: who counts, the next groups, cuts, and what expired, all in one change. Safe to do
// by several managers at the same time.
import type { Clock } from '../../shared/lifecycle/clock.js';
import { formatTime } from '../../shared/influx/time.js';
import type { NewEvent } from '../events/event-log.js';
import { blobTimeMs } from '../metadata/blob-store.js';
import type { ClusterView } from '../metadata/cluster-views.js';
import { SWEEP_MIN_AGE_MS } from '../metadata/sweep.js';
import type { Store } from '../store/port.js';
import { rangeAll } from '../store/range-all.js';
import { announceAnew } from './cuts.js';
import type { Editor } from './editor.js';
import { capableOf, withMembers, type Members } from './members.js';
import type { NumberedDeletes } from './numbered-deletes.js';
import { factsOf, policiesOf } from './policies.js';
import { groupsOf, type PlacementState } from './state.js';
import { groupsCut, membersChanged } from './tellings.js';
import { withCuts, withNext, withoutExpired, withoutGone, withoutVoid } from './upkeep-rules.js';

/** So many blobs go in one transaction. */
const PER_TRANSACTION = 60;
const KEYS_PER_READ = 1_000;

export interface UpkeepDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly editor: Editor;
  readonly members: Members;
  readonly deletes: NumberedDeletes;
  /** `placement.min-replication` */
  readonly minReplication: number;
  /** `placement.initial-nodes` */
  readonly initialNodes: number;
  /** `placement.cut-lead` */
  readonly cutLeadMs: number;
}

export class Upkeep {
  constructor(private readonly deps: UpkeepDeps) {}

  /** Every few seconds. Throws AppError `store-unavailable`. */
  async run(view: ClusterView, signal: AbortSignal): Promise<void> {
    const { members, editor, clock } = this.deps;
    await members.watchSilence(view, signal);
    const facts = await factsOf(view);
    const policies = facts === undefined ? [] : [...policiesOf(facts)];
    await editor.edit(
      view,
      async (before) => {
        const nowMs = clock.nowMs();
        const nowNs = BigInt(nowMs) * 1_000_000n;
        const nodes = await members.registered(view, signal);
        const registered = new Set(nodes.map(({ id }) => id));
        const { minReplication, initialNodes, cutLeadMs } = this.deps;
        const leadNs = BigInt(cutLeadMs) * 1_000_000n;
        const moves = { capable: capableOf(nodes), gone: [], back: [] };
        let state = withMembers(before, moves, initialNodes);
        if (facts !== undefined) {
          state = withoutExpired(state, policies, nowNs);
          state = withoutVoid(state, facts.marks, nowMs);
          state = announceAnew(state, nowNs, leadNs);
          state = withCuts(state, policies, registered, { nowNs, minReplication, leadNs });
          state = withNext(state, policies, nowNs, minReplication);
        }
        state = withoutGone(state, registered, nowNs);
        if (state === before) return { kind: 'unchanged' };
        const events = [...membersChanged(before, state), ...cutEvents(before, state)];
        return { kind: 'changed', state, events };
      },
      signal,
    );
  }

  /** Hourly: leftovers of changes that lost, and deletes that are old enough. */
  async sweep(view: ClusterView, signal: AbortSignal): Promise<void> {
    await this.deps.deletes.sweep(view, signal);
    const { store, clock } = this.deps;
    const { pointer, chunks } = view.keys.placement;
    const { entries } = await rangeAll(store, chunks, {
      keysOnly: true,
      pageSize: KEYS_PER_READ,
      signal,
    });
    const youngest = clock.nowMs() - SWEEP_MIN_AGE_MS;
    const published = await view.placement.newest();
    const named = new Set(published?.record.databases.map(([, blob]) => blob));
    const old = new Set(
      entries
        .map(({ key }) => key.slice(chunks.length).split('/')[0] ?? '')
        .filter((id) => blobTimeMs(id) <= youngest && !named.has(id)),
    );
    const batch = [...old].slice(0, PER_TRANSACTION);
    if (batch.length === 0) return;
    // Where the pointer stands still nobody names one of these; what is left goes with the next hour.
    await store.transact(
      [
        published === undefined
          ? { key: pointer, is: 'absent' }
          : { key: pointer, is: 'at', modRevision: published.modRevision },
      ],
      batch.map((id) => ({ deletePrefix: view.keys.placement.chunksOf(id) })),
      signal,
    );
  }
}

/** One event for all groups that got the same new end. */
function cutEvents(before: PlacementState, after: PlacementState): NewEvent[] {
  if (before === after) return [];
  const known = new Map([...groupsOf(before)].map((group) => [group.id, group.cut?.atNs]));
  const byTime = new Map<bigint, number[]>();
  for (const { id, cut } of groupsOf(after)) {
    if (cut === undefined || known.get(id) === cut.atNs) continue;
    byTime.set(cut.atNs, [...(byTime.get(cut.atNs) ?? []), id]);
  }
  return [...byTime].map(([atNs, groups]) =>
    groupsCut(
      groups,
      formatTime(atNs),
      'their owners are not those that the members would get now',
    ),
  );
}
