// After a restart, or an answer that never came: what became of the step that was noted? Nothing is planned before that
// is known.
import { sameValue } from '../../shared/meta/model.js';
import type { ManagerApi } from '../manager-api/port.js';
import { isAsCreated } from './apply-live.js';
import type { BaseRecord, Move, Note } from './base.js';
import type { BaseStore } from './base-store.js';
import { moveOfCreate, movesOfPush } from './moves.js';
import type { Logger } from '../../shared/log/logger.js';
import type { LocalState } from './observe.js';
import type { RemoteView } from './remote-view.js';

export interface SettleDeps {
  readonly api: Pick<ManagerApi, 'writeOutcome'>;
  readonly remoteView: RemoteView;
  readonly cluster: string;
  readonly logger: Logger;
  readonly observe: () => Promise<LocalState>;
  readonly signal: AbortSignal;
}

/**
 * Settles what is noted. `not-loaded`: meta.db was written offline, and no influxd has been started with it yet.
 * Throws `manager-unreachable` or `influxd-unreachable` while nobody can tell.
 */
export async function settleNote(
  store: BaseStore,
  deps: SettleDeps,
): Promise<'settled' | 'not-loaded'> {
  const { note } = store.state;
  if (note === undefined) return 'settled';
  if (note.kind === 'push') {
    await settlePush(note, { ...deps, store }, deps.signal);
    // The version that it became is the one to compare with.
    await deps.remoteView.refresh(deps.signal);
    return 'settled';
  }
  const local = await deps.observe();
  switch (note.kind) {
    case 'statement':
      await settleStatement(note, store, local);
      return 'settled';
    case 'creates':
      await settleCreates(note, store, local);
      return 'settled';
    case 'offline': {
      const outcome = await settleOffline(note, store, local);
      if (outcome === 'lost') {
        deps.logger.warn('meta.db was replaced after it was written offline; it is planned anew');
      }
      return outcome === 'waiting' ? 'not-loaded' : 'settled';
    }
  }
}

/** Asks the managers about a noted push. Throws `manager-unreachable` while nobody answers. */
async function settlePush(
  note: Extract<Note, { kind: 'push' }>,
  deps: {
    readonly api: Pick<ManagerApi, 'writeOutcome'>;
    readonly store: BaseStore;
    readonly cluster: string;
  },
  signal: AbortSignal,
): Promise<void> {
  const outcome = await deps.api.writeOutcome(deps.cluster, note.idempotencyKey, signal);
  const records: BaseRecord[] = [{ record: 'settled' }];
  if (outcome.kind === 'accepted') {
    records.unshift({ record: 'moves', moves: movesOfPush(note.moves, outcome.tag.version) });
  }
  await deps.store.append(records);
}

/** Looks at what influxd has: the statement happened, or it did not; anything else is a change by somebody, planned anew. */
async function settleStatement(
  note: Extract<Note, { kind: 'statement' }>,
  store: BaseStore,
  local: LocalState,
): Promise<void> {
  const found = local.schema.get(note.key);
  const hasHappened =
    !sameValue(found?.value, note.before?.value) && sameValue(found?.value, note.after?.value);
  await store.append([
    ...(hasHappened ? ([{ record: 'moves', moves: note.moves }] as const) : []),
    { record: 'settled' },
  ]);
}

/** Of a batch of creations each one happened or did not; what is there as it should be is the agent's own. */
async function settleCreates(
  note: Extract<Note, { kind: 'creates' }>,
  store: BaseStore,
  local: LocalState,
): Promise<void> {
  const moves: Move[] = [];
  for (const { key, entry } of note.moves) {
    const found = local.schema.get(key);
    const target = entry?.remote;
    if (found === undefined || target === undefined || !isAsCreated(target.object, found)) continue;
    moves.push(moveOfCreate({ kind: 'create', key, target: target.object, remote: target }, found));
  }
  await store.append([{ record: 'moves', moves }, { record: 'settled' }]);
}

type OfflineOutcome =
  /** influxd runs with what was written. */
  | 'loaded'
  /** influxd runs with something else: what was written is lost, and is planned anew. */
  | 'lost'
  /** influxd has not been started since. */
  | 'waiting';

/** An offline write counts once a running influxd shows its Term: a server that was started too early never read it. */
async function settleOffline(
  note: Extract<Note, { kind: 'offline' }>,
  store: BaseStore,
  local: LocalState,
): Promise<OfflineOutcome> {
  const showsTerm = local.lineage.term === note.term;
  if (local.source !== 'memory') {
    if (showsTerm) return 'waiting';
  } else if (showsTerm) {
    // Its lineage starts anew from here: Term and Index were raised by us.
    await store.append([
      { record: 'moves', moves: note.moves },
      { record: 'settled' },
      { record: 'lineage', step: { ...local.lineage, put: local.lineage.groups, gone: [] } },
    ]);
    return 'loaded';
  }
  await store.append([{ record: 'settled' }]);
  return 'lost';
}
