// The placement service: everything that changes a cluster's placement, put together; and the changes that people make.
import { AppError } from '../../shared/errors/app-error.js';
import { formatTime } from '../../shared/influx/time.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { PlacedGroup, Placement } from '../../shared/placement/model.js';
import { validatePlacement } from '../../shared/placement/rules.js';
import type { NewEvent } from '../events/event-log.js';
import type { BlobStore } from '../metadata/blob-store.js';
import type { ClusterView } from '../metadata/cluster-views.js';
import type { StoreContact } from '../nodes/store-contact.js';
import type { Store } from '../store/port.js';
import { BehindFlags } from './behind.js';
import { Completeness } from './completeness.js';
import { confirmCuts, cutGroups } from './cuts.js';
import { Departure } from './departure.js';
import { Editor } from './editor.js';
import { GroupMaker } from './group-maker.js';
import { Members } from './members.js';
import { NumberedDeletes } from './numbered-deletes.js';
import type { LoadedPlacement } from './placement-feed.js';
import { groupsOf, type PlacementState } from './state.js';
import { groupsCut } from './tellings.js';
import { Upkeep } from './upkeep.js';

export interface PlacementsOptions {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly contact: Pick<StoreContact, 'isInGrace'>;
  readonly tell: (cluster: string, event: NewEvent) => void;
  readonly minReplication: number;
  readonly initialNodes: number;
  readonly outAfterMs: number;
  /** `placement.cut-lead` */
  readonly cutLeadMs: number;
}

export interface Truncation {
  /** Undefined: all. */
  readonly database: string | undefined;
  readonly policy: string | undefined;
  /** Undefined: as soon as can be. */
  readonly atNs: bigint | undefined;
  readonly by: string;
}

export class Placements {
  readonly members: Members;
  readonly groups: GroupMaker;
  readonly completeness: Completeness;
  readonly deletes: NumberedDeletes;
  readonly behind: BehindFlags;
  readonly departure: Departure;
  readonly upkeep: Upkeep;
  private readonly editor: Editor;

  constructor(private readonly options: PlacementsOptions) {
    const { store, clock } = options;
    const editor = new Editor(options);
    this.editor = editor;
    this.members = new Members({ ...options, editor });
    this.groups = new GroupMaker({ ...options, editor, members: this.members });
    this.completeness = new Completeness({ editor, clock });
    this.deletes = new NumberedDeletes({ store, clock, editor });
    this.behind = new BehindFlags({ store, clock });
    this.departure = new Departure({ store, members: this.members });
    this.upkeep = new Upkeep({ ...options, editor, members: this.members, deletes: this.deletes });
  }

  /** Announces an end to groups that take points then. Throws AppError `body-invalid` (400) for too early a time. */
  truncate(view: ClusterView, cut: Truncation, signal: AbortSignal): Promise<LoadedPlacement> {
    const earliest = BigInt(this.options.clock.nowMs() + this.options.cutLeadMs) * 1_000_000n;
    const atNs = cut.atNs ?? earliest;
    if (atNs < earliest) {
      throw new AppError(
        'body-invalid',
        `body field at: no group can end before ${formatTime(earliest)}, because all members have to hear of it first; name a later time, or none`,
        { status: 400 },
      );
    }
    return this.editor.edit(
      view,
      (state) => {
        const ids: number[] = [];
        const next = cutGroups(state, atNs, (group) => {
          const isMeant =
            (cut.database ?? group.database) === group.database &&
            (cut.policy ?? group.policy) === group.policy;
          if (isMeant) ids.push(group.id);
          return isMeant;
        });
        if (next === state) return { kind: 'unchanged' };
        const event = groupsCut(ids, formatTime(atNs), `as ${cut.by} ordered`);
        return { kind: 'changed', state: next, events: [event] };
      },
      signal,
    );
  }

  /** The node knows all cuts up to that version. */
  confirm(
    view: ClusterView,
    node: number,
    version: number,
    signal: AbortSignal,
  ): Promise<LoadedPlacement> {
    return this.editor.edit(
      view,
      (state) => {
        const next = confirmCuts(state, node, version);
        return next === state ? { kind: 'unchanged' } : { kind: 'changed', state: next };
      },
      signal,
    );
  }

  /**
   * Replaces all groups by those of `placement`, where its version is still the newest. Members and deletes stay as they are.
   * Throws AppError `version-conflict` (409), `placement-invalid` (400).
   */
  replace(view: ClusterView, placement: Placement, signal: AbortSignal): Promise<LoadedPlacement> {
    const [fault] = validatePlacement(placement);
    if (fault !== undefined) {
      throw new AppError(
        'placement-invalid',
        `the placement was refused: ${fault}; mend that and try again`,
        { status: 400 },
      );
    }
    return this.editor.edit(
      view,
      (state) => {
        if (state.version !== placement.version) throw conflict(state.version, placement.version);
        return { kind: 'changed', state: withGroups(state, placement.groups) };
      },
      signal,
    );
  }
}

function withGroups(state: PlacementState, groups: readonly PlacedGroup[]): PlacementState {
  const databases = new Map<string, PlacedGroup[]>();
  let { nextGroup, nextShard } = state;
  for (const group of groups) {
    const list = databases.get(group.database);
    if (list === undefined) databases.set(group.database, [group]);
    else list.push(group);
    nextGroup = Math.max(nextGroup, group.id + 1);
    nextShard = Math.max(nextShard, ...group.shards.map(({ id }) => id + 1));
  }
  const next = { ...state, databases, nextGroup, nextShard };
  // What is written back may hold cuts of its own: they are announced with this version.
  const announced = new Map<number, number>();
  for (const { id, cut } of groupsOf(next)) {
    if (cut !== undefined && !cut.counts) announced.set(id, state.version + 1);
  }
  return { ...next, announced };
}

function conflict(newest: number, seen: number): AppError {
  return new AppError(
    'version-conflict',
    `the placement was not written: its newest version is ${newest}, not ${seen}; read it again and repeat with that version`,
    { status: 409, details: { version: newest } },
  );
}
