// Who counts for placement: registered nodes whose agents have the data plane, but for those that were silent for too long.
// A missed heartbeat alone changes nothing: silence is noted in the store first, and counted from there.
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { ClusterView } from '../metadata/cluster-views.js';
import { nodeRecord, type NodeRecord } from '../nodes/records.js';
import type { StoreContact } from '../nodes/store-contact.js';
import { numberOf } from '../store/keys.js';
import type { Store } from '../store/port.js';
import { rangeAll } from '../store/range-all.js';
import { decodeRecord, encodeRecord } from '../store/records.js';
import type { Editor } from './editor.js';
import { silenceRecord } from './records.js';
import type { PlacementState } from './state.js';
import { membersChanged } from './tellings.js';

/** What an agent with the data plane says in its `versions`; a higher number is a later form of the same. */
export const PEER_VERSION_KEY = 'peer';
const LEAST_PEER_VERSION = 1;

export interface MembersDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly contact: Pick<StoreContact, 'isInGrace'>;
  readonly editor: Editor;
  /** `placement.initial-nodes` */
  readonly initialNodes: number;
  /** `placement.out-after` */
  readonly outAfterMs: number;
}

export class Members {
  constructor(private readonly deps: MembersDeps) {}

  /** Takes in who has come and lets go of who was deregistered. Throws AppError `store-unavailable`. */
  async sync(view: ClusterView, signal: AbortSignal): Promise<void> {
    await this.change(view, [], [], signal);
  }

  /** A node has registered: it counts, also where it was out. */
  async joined(view: ClusterView, node: number, signal: AbortSignal): Promise<void> {
    await this.change(view, [], [node], signal);
  }

  /** All that are registered, with or without the data plane. */
  async registered(view: ClusterView, signal: AbortSignal): Promise<NodeRecord[]> {
    const { entries } = await rangeAll(this.deps.store, view.keys.nodes, { signal });
    return entries.map((entry) => decodeRecord(entry, nodeRecord));
  }

  /** Notes who is silent since when; who is for too long is out, who is back is in. Called every few seconds. */
  async watchSilence(view: ClusterView, signal: AbortSignal): Promise<void> {
    const { store, clock, contact, outAfterMs } = this.deps;
    // After an outage of the store nobody counts as silent.
    if (contact.isInGrace) return;
    const [loaded, aliveEntries, entry] = await Promise.all([
      view.placement.latest(),
      rangeAll(store, view.keys.alive, { keysOnly: true, signal }),
      store.get(view.keys.placement.silence, { signal }),
    ]);
    if (loaded === undefined) return;
    const alive = new Set(aliveEntries.entries.map(({ key }) => numberOf(key)));
    const before = entry === undefined ? {} : decodeRecord(entry, silenceRecord).since;
    const nowMs = clock.nowMs();
    const since: Record<string, string> = {};
    for (const id of loaded.record.members) {
      if (!alive.has(id)) since[id] = before[id] ?? new Date(nowMs).toISOString();
    }
    if (JSON.stringify(since) !== JSON.stringify(before)) {
      const key = view.keys.placement.silence;
      const { kind } = await store.transact(
        [
          entry === undefined
            ? { key, is: 'absent' }
            : { key, is: 'at', modRevision: entry.modRevision },
        ],
        [{ put: key, value: encodeRecord({ since }) }],
        signal,
      );
      if (kind === 'refused') return;
    }
    const gone = Object.entries(since)
      .filter(([, at]) => nowMs - Date.parse(at) >= outAfterMs)
      .map(([id]) => Number(id));
    const back = loaded.record.out.filter((id) => alive.has(id));
    if (gone.length > 0 || back.length > 0) await this.change(view, gone, back, signal);
  }

  private async change(
    view: ClusterView,
    gone: readonly number[],
    back: readonly number[],
    signal: AbortSignal,
  ): Promise<void> {
    await this.deps.editor.edit(
      view,
      async (state) => {
        const capable = capableOf(await this.registered(view, signal));
        const next = withMembers(state, { capable, gone, back }, this.deps.initialNodes);
        if (next === state) return { kind: 'unchanged' };
        return { kind: 'changed', state: next, events: membersChanged(state, next) };
      },
      signal,
    );
  }
}

/** Ids of the nodes that have the data plane, ascending. */
export function capableOf(nodes: readonly NodeRecord[]): number[] {
  return nodes
    .filter(
      ({ uid, versions }) =>
        uid !== undefined && Number(versions[PEER_VERSION_KEY] ?? 0) >= LEAST_PEER_VERSION,
    )
    .map(({ id }) => id)
    .sort((a, b) => a - b);
}

interface Moves {
  readonly capable: readonly number[];
  /** Were silent for too long. */
  readonly gone: readonly number[];
  /** Are heard of again. */
  readonly back: readonly number[];
}

/** The same state where nothing changes. */
export function withMembers(
  state: PlacementState,
  { capable, gone, back }: Moves,
  initialNodes: number,
): PlacementState {
  const out = capable.filter(
    (id) => (state.out.includes(id) || gone.includes(id)) && !back.includes(id),
  );
  const members = capable.filter((id) => !out.includes(id));
  const begun = state.begun || (members.length > 0 && members.length >= initialNodes);
  if (begun === state.begun && isSame(out, state.out) && isSame(members, state.members)) {
    return state;
  }
  return { ...state, members, out, begun };
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}
