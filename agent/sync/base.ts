// The base: what cluster and local influxd had, object by object, when they were last brought in line, and what the agent
// was about to do when it was last seen. Pure data and its reducer; agent/state/journal.ts keeps it on disk.
import type { PauseOrder } from '../../shared/api/orders.js';
import type { VersionTag } from '../../shared/api/version-tag.js';
import type { KnownGroup, Lineage } from '../../shared/meta/lineage.js';
import type { ObjectKey, SchemaObject } from '../../shared/meta/model.js';
import { GUARD_WINDOW_MS } from '../../shared/meta/guard-rule.js';
import { keyOf } from '../../shared/meta/model.js';

/** What the cluster had: value and mark. */
export interface RemoteSide {
  readonly object: SchemaObject;
  readonly mark: number;
}

/**
 * One object's two sides. Local is compared with `local` only and remote with `remote` only, so that another salt of the
 * same password, or another version's print of the same query, is neither a change nor a drop. `local` without `remote`:
 * it is here, and the cluster does not want it.
 */
export interface BaseEntry {
  readonly remote?: RemoteSide;
  readonly local?: SchemaObject;
  /** When two creations that had not seen each other were merged here (ms, own clock). */
  readonly twinSinceMs?: number;
  /** Local-only, and neither pushed nor dropped until a person decides (or the reason goes away). */
  readonly hold?: HoldReason;
  /** A change that the guard stopped: neither pushed nor made here until a person decides (or the change is taken back). */
  readonly guard?: GuardHold;
  /** Since when `hold` or `guard` stands (ms, own clock): a decision on an earlier one is not meant for this one. */
  readonly heldSinceMs?: number;
  /** A person let the change through: it is not counted again. */
  readonly isApproved?: boolean;
}

/** What the guard counts: a drop of points, or a shorter duration, which drops points too. */
export interface GuardHold {
  readonly change: 'drop' | 'shorten';
  /** Who would lose: the cluster (a local change to be pushed) or this server (a change that came from the cluster). */
  readonly side: 'cluster' | 'here';
}

export type HoldReason =
  | { readonly kind: 'tombstone'; readonly version: number }
  | { readonly kind: 'user-of-joining-server' }
  | { readonly kind: 'away-too-long' }
  | { readonly kind: 'join-pull' };

/** One object's move that a write or a statement will make true. */
export interface Move {
  readonly key: ObjectKey;
  /** undefined: forget the object. */
  readonly entry: BaseEntry | undefined;
}

/** Like a Move, where the mark may be the version that a push will get. */
export interface PushMove {
  readonly key: ObjectKey;
  readonly local: SchemaObject | undefined;
  readonly remote: { readonly object: SchemaObject; readonly mark: number | 'new' } | undefined;
  readonly twinSinceMs?: number;
}

/** What the agent is about to do; on disk before it does it, settled before anything else is planned. */
export type Note =
  | {
      readonly kind: 'statement';
      readonly key: ObjectKey;
      readonly before: SchemaObject | undefined;
      readonly after: SchemaObject | undefined;
      /** What moves when the statement is seen to have happened (a drop takes its children along). */
      readonly moves: readonly Move[];
    }
  | {
      /** Objects that were absent and are about to be created; what is found afterwards is the agent's own. */
      readonly kind: 'creates';
      readonly moves: readonly Move[];
    }
  | {
      readonly kind: 'push';
      readonly idempotencyKey: string;
      readonly moves: readonly PushMove[];
    }
  | {
      readonly kind: 'offline';
      /** Only a server that shows this Term has loaded what was written. */
      readonly term: string;
      readonly moves: readonly Move[];
    };

export interface Base {
  /** Newest version compared with; its incarnation names the line that the base belongs to. */
  readonly tag: VersionTag | undefined;
  readonly lineage: Lineage | undefined;
  /** Why this node is joining; undefined once it has joined. */
  readonly joining: string | undefined;
  readonly entries: ReadonlyMap<ObjectKey, BaseEntry>;
  readonly note: Note | undefined;
  /** Unproven changes that the guard let through of late. */
  readonly passed: readonly Passed[];
  /** This node pushes and applies nothing meanwhile. */
  readonly pause: PauseOrder | undefined;
}

/** Unproven changes that passed the guard at that time (ms, own clock). */
export interface Passed {
  readonly atMs: number;
  readonly keys: readonly ObjectKey[];
}

export const NEW_BASE: Base = {
  tag: undefined,
  lineage: undefined,
  joining: 'first contact with this cluster',
  entries: new Map(),
  note: undefined,
  passed: [],
  pause: undefined,
};

/** The scalars of a lineage and what changed among its groups: a node may have ten thousand of them. */
export interface LineageStep extends Omit<Lineage, 'groups'> {
  readonly put: readonly KnownGroup[];
  readonly gone: readonly string[];
}

/** What is appended to the journal. */
export type BaseRecord =
  | { readonly record: 'moves'; readonly moves: readonly Move[] }
  | { readonly record: 'tag'; readonly tag?: VersionTag }
  | { readonly record: 'lineage'; readonly step: LineageStep }
  | { readonly record: 'note'; readonly note: Note }
  | { readonly record: 'settled' }
  /** Forgets entries and lineage: the node joins anew. The tag stays: it tells how long the node was away. */
  | { readonly record: 'join'; readonly why: string }
  | { readonly record: 'joined' }
  | { readonly record: 'passed'; readonly passed: Passed }
  | { readonly record: 'pause'; readonly pause?: PauseOrder };

/** The base after one record. */
export function reduceBase(base: Base, record: BaseRecord): Base {
  switch (record.record) {
    case 'moves':
      return {
        ...base,
        entries: withMoves(base.entries, record.moves),
        lineage: withoutSuccessors(base.lineage, base.entries, record.moves),
      };
    case 'tag':
      return { ...base, tag: record.tag };
    case 'lineage':
      return { ...base, lineage: applyLineageStep(base.lineage, record.step) };
    case 'note':
      return { ...base, note: record.note };
    case 'settled':
      return { ...base, note: undefined };
    case 'join':
      return { ...NEW_BASE, ...keptByJoin(base), joining: record.why };
    case 'joined':
      return { ...base, joining: undefined };
    case 'passed':
      return { ...base, passed: [...lately(base.passed, record.passed.atMs), record.passed] };
    case 'pause':
      return { ...base, pause: record.pause };
  }
}

/** How long the node was away, what passed the guard, and a person's pause are not the objects' business. */
function keptByJoin({ tag, passed, pause }: Base): Pick<Base, 'tag' | 'passed' | 'pause'> {
  return { tag, passed, pause };
}

/** What passed within the window; a clock that was set back counts too much rather than too little. */
export function lately(passed: readonly Passed[], nowMs: number): readonly Passed[] {
  return passed.filter(({ atMs }) => nowMs - atMs < GUARD_WINDOW_MS);
}

/** Entries after these moves; the given map is not touched. */
export function withMoves(
  entries: ReadonlyMap<ObjectKey, BaseEntry>,
  moves: readonly Move[],
): ReadonlyMap<ObjectKey, BaseEntry> {
  const target = new Map(entries);
  for (const { key, entry } of moves) {
    if (entry === undefined) target.delete(key);
    else target.set(key, entry);
  }
  return target;
}

/**
 * The lineage without the groups of objects whose place another one of the same name took (it bears another mark): the old
 * groups would make the successor look as if it had been re-created. Its own are learned at the next look.
 */
export function withoutSuccessors(
  lineage: Lineage | undefined,
  entries: ReadonlyMap<ObjectKey, BaseEntry>,
  moves: readonly Move[],
): Lineage | undefined {
  const successors = new Set<ObjectKey>();
  for (const { key, entry } of moves) {
    const before = entries.get(key);
    const isThere = before?.local !== undefined && entry?.local !== undefined;
    if (isThere && before.remote?.mark !== entry.remote?.mark) successors.add(key);
  }
  if (lineage === undefined || successors.size === 0) return lineage;
  return { ...lineage, groups: lineage.groups.filter((group) => !isOf(group, successors)) };
}

function isOf({ database, policy }: KnownGroup, keys: ReadonlySet<ObjectKey>): boolean {
  return (
    keys.has(keyOf({ kind: 'database', path: [database] })) ||
    keys.has(keyOf({ kind: 'policy', path: [database, policy] }))
  );
}

/**
 * What to note of a newer lineage. Groups of the databases and policies in `unsettled` (dropped or re-created here, and not
 * yet brought in line) stay as they were noted: they are the evidence by which that is seen again after a crash.
 */
export function lineageStep(
  before: Lineage | undefined,
  now: Lineage,
  unsettled: ReadonlySet<ObjectKey> = new Set(),
): LineageStep {
  const { groups, ...scalars } = now;
  const isUnsettled = (group: KnownGroup) => isOf(group, unsettled);
  const known = new Map((before?.groups ?? []).map((group) => [group.id, group]));
  const listed = new Set(groups.map(({ id }) => id));
  return {
    ...scalars,
    put: groups.filter(
      (group) =>
        !isUnsettled(group) && JSON.stringify(known.get(group.id)) !== JSON.stringify(group),
    ),
    gone: [...known.values()]
      .filter((group) => !listed.has(group.id) && !isUnsettled(group))
      .map(({ id }) => id),
  };
}

function applyLineageStep(before: Lineage | undefined, step: LineageStep): Lineage {
  const { put, gone, ...scalars } = step;
  const groups = new Map((before?.groups ?? []).map((group) => [group.id, group]));
  for (const id of gone) groups.delete(id);
  for (const group of put) groups.set(group.id, group);
  return { ...scalars, groups: [...groups.values()] };
}
