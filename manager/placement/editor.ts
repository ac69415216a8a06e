// Changes the placement: reads the newest, has it changed, and swaps the pointer; where somebody else was faster, anew. A
// change must lead to the same when it is made twice, because the outcome of a transaction may stay unknown.
import { groupToWire } from '../../shared/api/placement.js';
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import { createBackoff, sleep } from '../../shared/lifecycle/backoff.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { validatePlacement } from '../../shared/placement/rules.js';
import type { NewEvent } from '../events/event-log.js';
import type { BlobStore } from '../metadata/blob-store.js';
import type { ClusterView } from '../metadata/cluster-views.js';
import { KeyedQueue } from '../nodes/keyed-queue.js';
import type { Comparison, Operation, Store } from '../store/port.js';
import { encodeRecord } from '../store/records.js';
import { settleCuts } from './cuts.js';
import type { LoadedPlacement } from './placement-feed.js';
import { entryOf, type DatabaseEntry, type PlacementPointer } from './records.js';
import type { PlacementState } from './state.js';

/** How long one change may fight for its turn. */
const EDIT_DEADLINE_MS = 10_000;

/** With the pointer, far below what one transaction takes (limits.ts). */
const MAX_OPERATIONS = 60;
const MAX_BYTES = 600 * 1024;

/**
 * After the store went back in time the ids that were given since are known to agents; the next ones are above all of them:
 * at a group each second that is eleven days of lost history.
 */
const FORK_ID_GAP = 1_000_000;

export type Edit =
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'changed';
      readonly state: PlacementState;
      /** What else the same transaction does. */
      readonly operations?: readonly Operation[];
      readonly comparisons?: readonly Comparison[];
      readonly events?: readonly NewEvent[];
    };

/** `version`: that which the change makes. */
export type Change = (state: PlacementState, version: number) => Edit | Promise<Edit>;

export interface EditorDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly tell: (cluster: string, event: NewEvent) => void;
}

export class Editor {
  /** One change per cluster at a time on this manager, so that they do not fight each other. */
  private readonly queue = new KeyedQueue();

  constructor(private readonly deps: EditorDeps) {}

  /** The placement after the change. Throws what `change` throws, `placement-invalid` (400), `store-unavailable` (503). */
  edit(view: ClusterView, change: Change, stop: AbortSignal): Promise<LoadedPlacement> {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(EDIT_DEADLINE_MS)]);
    return this.queue.run(view.name, () => this.untilDone(view, change, signal));
  }

  private async untilDone(
    view: ClusterView,
    change: Change,
    signal: AbortSignal,
  ): Promise<LoadedPlacement> {
    const backoff = createBackoff({ initialMs: 10 });
    for (;;) {
      const loaded = await view.placement.load();
      const before = await this.inLine(view, loaded.state);
      const version = before.version + 1;
      const edit = inLineToo(await change(before, version), loaded.state, before);
      if (edit.kind === 'unchanged') return loaded;
      const nowNs = BigInt(this.deps.clock.nowMs()) * 1_000_000n;
      const settled = settleCuts({ ...edit.state, version }, nowNs);
      assertValid(loaded.state, settled);
      try {
        const after = await this.commit(view, loaded, { ...edit, state: settled }, signal);
        if (after !== undefined) {
          for (const event of edit.events ?? []) this.deps.tell(view.name, event);
          return after;
        }
      } catch (error) {
        if (!isAppError(error, 'outcome-unknown') || signal.aborted) throw error;
      }
      await sleep(backoff.nextDelayMs(), signal);
    }
  }

  /** The placement is of the cluster's incarnation: where the store went back in time it begins a new line. */
  private async inLine(view: ClusterView, state: PlacementState): Promise<PlacementState> {
    const incarnation = (await view.feed.latest())?.tag.incarnation;
    if (incarnation === undefined || incarnation === state.incarnation) return state;
    // Before there was metadata no group was made.
    if (state.incarnation === '') return { ...state, incarnation };
    return {
      ...state,
      incarnation,
      nextGroup: state.nextGroup + FORK_ID_GAP,
      nextShard: state.nextShard + FORK_ID_GAP,
    };
  }

  /** undefined: somebody else was faster. */
  private async commit(
    view: ClusterView,
    { published, state: before }: LoadedPlacement,
    edit: Extract<Edit, { kind: 'changed' }>,
    signal: AbortSignal,
  ): Promise<LoadedPlacement | undefined> {
    const { store } = this.deps;
    const keys = view.keys.placement;
    const { state } = edit;
    const blobs = await this.prepare(view, before, state, published?.record.databases, signal);
    const pointer: PlacementPointer = {
      version: state.version,
      incarnation: state.incarnation,
      at: new Date(this.deps.clock.nowMs()).toISOString(),
      members: [...state.members],
      out: [...state.out],
      begun: state.begun,
      deletes: state.deletes,
      nextGroup: state.nextGroup,
      nextShard: state.nextShard,
      announced: [...state.announced],
      databases: blobs.entries,
    };
    const value = encodeRecord(pointer);
    const { kind, revision } = await store.transact(
      [
        published === undefined
          ? { key: keys.pointer, is: 'absent' }
          : { key: keys.pointer, is: 'at', modRevision: published.modRevision },
        ...blobs.comparisons,
        ...(edit.comparisons ?? []),
      ],
      [...blobs.operations, ...(edit.operations ?? []), { put: keys.pointer, value }],
      signal,
    );
    if (kind === 'refused') return undefined;
    const createRevision = published?.entry.createRevision ?? revision;
    const entry = {
      key: keys.pointer,
      value,
      createRevision,
      modRevision: revision,
      leaseId: undefined,
    };
    return { published: view.placement.accept(entry, state), state };
  }

  /** Blobs of the databases that changed. Where they are too many for one transaction, they are put now: nothing names them yet. */
  private async prepare(
    { keys: { placement: keys } }: ClusterView,
    before: PlacementState,
    after: PlacementState,
    named: readonly DatabaseEntry[] = [],
    signal: AbortSignal,
  ): Promise<{ entries: DatabaseEntry[]; comparisons: Comparison[]; operations: Operation[] }> {
    const { store, blobs } = this.deps;
    const known = new Map(named.map((entry) => [entry[0], entry]));
    const entries: DatabaseEntry[] = [];
    const comparisons: Comparison[] = [];
    let operations: Operation[] = [];
    let bytes = 0;
    const replaced: string[] = [];
    for (const [database, groups] of after.databases) {
      const entry = known.get(database);
      known.delete(database);
      if (entry !== undefined && before.databases.get(database) === groups) {
        entries.push(entry);
        continue;
      }
      if (entry !== undefined) replaced.push(entry[1]);
      const json = Buffer.from(JSON.stringify(groups.map(groupToWire)));
      const blob = await blobs.prepare(keys, json, signal);
      entries.push(entryOf(database, blob.ref));
      comparisons.push(...blob.comparisons);
      operations.push(...blob.operations);
      bytes += blob.ref.stored;
      if (operations.length < MAX_OPERATIONS && bytes < MAX_BYTES) continue;
      await store.transact([], operations, signal);
      operations = [];
      bytes = 0;
    }
    for (const entry of known.values()) replaced.push(entry[1]);
    // Those beyond are swept later.
    const gone = replaced.slice(0, MAX_OPERATIONS - 10);
    return {
      entries,
      comparisons: comparisons.slice(0, MAX_OPERATIONS),
      operations: [...operations, ...gone.map((id) => ({ deletePrefix: keys.chunksOf(id) }))],
    };
  }
}

/** A new line is a change by itself, so that agents hear of it soon. */
function inLineToo(edit: Edit, loaded: PlacementState, before: PlacementState): Edit {
  if (edit.kind === 'changed' || before === loaded || loaded.version === 0) return edit;
  return { kind: 'changed', state: before };
}

function assertValid(before: PlacementState, after: PlacementState): void {
  for (const [database, groups] of after.databases) {
    if (before.databases.get(database) === groups) continue;
    const [fault] = validatePlacement({ groups });
    if (fault === undefined) continue;
    throw new AppError(
      'placement-invalid',
      `the placement of database ${JSON.stringify(database)} was not changed: ${fault}; mend that and try again`,
      { status: 400 },
    );
  }
}
