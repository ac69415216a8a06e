// What one tick works on, and what it notes of it in the base before it acts.
import type { VersionTag } from '../../shared/api/version-tag.js';
import { sameTag } from '../../shared/api/version-tag.js';
import type { Lineage } from '../../shared/meta/lineage.js';
import type { ObjectKey } from '../../shared/meta/model.js';
import type { BaseRecord, LineageStep, Move } from './base.js';
import { lineageStep, withoutSuccessors } from './base.js';
import type { TickStore } from './base-store.js';
import type { Evidence } from './evidence.js';
import type { LocalState } from './observe.js';
import type { Plan } from './plan-types.js';
import type { TickMode } from './port.js';
import type { RemoteState } from './remote-view.js';

/** What a tick works on. */
export interface View {
  readonly mode: TickMode;
  readonly signal: AbortSignal;
  /** The real one; a copy in memory for a dry run. */
  readonly store: TickStore;
  readonly local: LocalState;
  readonly remote: RemoteState;
}

/** True where local is the file that we wrote and influxd has not loaded yet: it counts for planning, never for the base. */
export function isWrittenByUs({ store, local }: Pick<View, 'store' | 'local'>): boolean {
  const { note } = store.state;
  return note?.kind === 'offline' && local.source === 'file' && note.term === local.lineage.term;
}

export function writtenMoves({ store }: Pick<View, 'store'>): readonly Move[] {
  const { note } = store.state;
  return note?.kind === 'offline' ? note.moves : [];
}

/** What is in line moves, the lineage is noted, and a join that was planned in both directions is over. */
export function noteView(
  planned: Plan,
  { store, local, remote, mode }: View,
  { unsettled, nowMs }: { readonly unsettled: ReadonlySet<ObjectKey>; readonly nowMs: number },
): void {
  const { joining, tag, entries } = store.state;
  const lineage = withoutSuccessors(store.state.lineage, entries, planned.moves);
  const records: BaseRecord[] = [];
  if (planned.moves.length > 0) records.push({ record: 'moves', moves: planned.moves });
  const keys = planned.unproven.map(({ key }) => key);
  if (keys.length > 0) records.push({ record: 'passed', passed: { atMs: nowMs, keys } });
  const step = lineageStep(lineage, local.lineage, unsettled);
  if (local.source !== 'none' && hasNews(step, lineage)) records.push({ record: 'lineage', step });
  if (!sameTag(tag, remote.tag)) {
    records.push({ record: 'tag', ...(remote.tag && { tag: remote.tag }) });
  }
  if (joining !== undefined && local.source !== 'none' && mode.push && mode.pull) {
    records.push({ record: 'joined' });
  }
  store.defer(records);
}

/** Suspects that this plan's own moves do not settle. */
export function unsettledBy({ moves }: Plan, { suspects }: Evidence): ReadonlySet<ObjectKey> {
  const unsettled = new Set(suspects);
  for (const { key } of moves) unsettled.delete(key);
  return unsettled;
}

function hasNews({ put, gone, index, content }: LineageStep, known: Lineage | undefined): boolean {
  return known?.index !== index || known.content !== content || put.length > 0 || gone.length > 0;
}

/** A node that last applied a version from before a swept tombstone can't know all that was dropped meanwhile. */
export function isOlderThanTombstones(tag: VersionTag | undefined, remote: RemoteState): boolean {
  if (tag === undefined || tag.incarnation !== remote.tag?.incarnation) return false;
  return tag.version < remote.marks.sweptThrough;
}
