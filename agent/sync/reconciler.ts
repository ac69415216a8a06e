// The reconciler: settle what was begun, observe, plan, act; one tick at a time. It decides nothing on events, and nothing
// that it does depends on what an earlier tick had in memory.
import type { Logger } from '../../shared/log/logger.js';
import { AppError, isAbort, isAppError, messageOf } from '../../shared/errors/app-error.js';
import type { VersionTag } from '../../shared/api/version-tag.js';
import { sameTag } from '../../shared/api/version-tag.js';
import { describeKey } from '../../shared/meta/diff.js';
import type { Lineage } from '../../shared/meta/lineage.js';
import type { ObjectKey } from '../../shared/meta/model.js';
import type { InfluxControl } from '../influxd/port.js';
import type { ManagerApi } from '../manager-api/port.js';
import { LiveApplier } from './apply-live.js';
import type { OfflineApplier } from './apply-offline.js';
import { Attempts } from './attempts.js';
import { lineageStep, withMoves } from './base.js';
import type { BaseRecord, LineageStep, Move } from './base.js';
import { MemoryBaseStore } from './base-store.js';
import type { BaseStore } from './base-store.js';
import { findSuspects, judge } from './evidence.js';
import type { Evidence } from './evidence.js';
import { whyBlocked, whyJoin } from './join.js';
import { LocalObserver } from './observe.js';
import type { LocalState } from './observe.js';
import { plan } from './plan.js';
import type { Plan, PlannedPending } from './plan-types.js';
import type { Reconciler, StepTaken, TickMode, TickReport } from './port.js';
import { push } from './push.js';
import type { RemoteState, RemoteView } from './remote-view.js';
import { makeReport, sentenceOf, stepsOfPlan } from './report.js';
import { settleCreates, settleOffline, settlePush, settleStatement } from './settle-note.js';

export interface ReconcilerDeps {
  readonly cluster: string;
  readonly store: BaseStore;
  readonly api: Pick<ManagerApi, 'write' | 'writeOutcome' | 'survey'>;
  readonly remoteView: RemoteView;
  readonly control: InfluxControl;
  /** Writes meta.db while influxd is stopped; absent where this process never does. */
  readonly offline?: OfflineApplier;
  readonly nodeId: () => number | undefined;
  readonly logger: Logger;
  readonly nowMs: () => number;
  readonly settings: {
    readonly join: 'merge' | 'pull' | 'refuse';
    readonly isShared: (database: string) => boolean;
    readonly ownUser: string | undefined;
  };
}

/** What a tick works on. */
interface View {
  readonly mode: TickMode;
  readonly signal: AbortSignal;
  /** The real one; a copy in memory for a dry run. */
  readonly store: BaseStore;
  readonly local: LocalState;
  readonly remote: RemoteState;
}

export class SyncReconciler implements Reconciler {
  lastReport: TickReport | undefined;
  private readonly observer: LocalObserver;
  private readonly attempts: Attempts;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(private readonly deps: ReconcilerDeps) {
    this.observer = new LocalObserver(deps.control);
    this.attempts = new Attempts(deps.nowMs);
  }

  /** When something refused may be tried again (ms, own clock). */
  get nextDueMs(): number | undefined {
    return this.attempts.nextDueMs;
  }

  tick(mode: TickMode, signal: AbortSignal): Promise<TickReport> {
    const next = this.queue.then(() => this.guardedTick(mode, signal));
    this.queue = next.catch(() => undefined); // the caller of that tick has its error; the next one starts afresh
    return next;
  }

  private async guardedTick(mode: TickMode, signal: AbortSignal): Promise<TickReport> {
    try {
      const report = await this.run(mode, signal);
      if (!mode.dryRun) this.lastReport = report;
      return report;
    } catch (error) {
      if (isAbort(error) || signal.aborted) throw error;
      this.lastReport = this.failure(error);
      return this.lastReport;
    }
  }

  private async run(mode: TickMode, signal: AbortSignal): Promise<TickReport> {
    const store = mode.dryRun ? new MemoryBaseStore(this.deps.store.state) : this.deps.store;
    const unsettled = await this.settleNote(store, mode, signal);
    if (unsettled !== undefined) return unsettled;
    const local = await this.observeLocal(mode, signal);
    const remote = await this.deps.remoteView.load(signal);
    const view = { mode, signal, store, local, remote };
    const blocked = await this.joinIfNeeded(view);
    if (blocked !== undefined) return blocked;
    const evidence = await this.evidence(view);
    const planned = this.plan(view, evidence);
    if (mode.dryRun) return this.dryRun(planned, remote);
    const joined = store.state.joining;
    if (!isWrittenByUs(view)) await noteView(planned, view, unsettledBy(planned, evidence));
    return this.act(planned, view, joined);
  }

  // ---- settle

  /** Finds out what became of the step that was noted; a report where that can't be known yet. */
  private async settleNote(
    store: BaseStore,
    mode: TickMode,
    signal: AbortSignal,
  ): Promise<TickReport | undefined> {
    const { note } = store.state;
    if (note === undefined) return undefined;
    if (note.kind === 'push') {
      await settlePush(note, { ...this.deps, store }, signal);
      await this.deps.remoteView.refresh(signal);
      return undefined;
    }
    const local = await this.observeLocal(mode, signal);
    if (note.kind === 'statement') {
      await settleStatement(note, store, local);
      return undefined;
    }
    if (note.kind === 'creates') {
      await settleCreates(note, store, local);
      return undefined;
    }
    const outcome = await settleOffline(note, store, local);
    if (outcome === 'lost') {
      this.deps.logger.warn(
        'meta.db was replaced after it was written offline; it is planned anew',
      );
    }
    return outcome === 'waiting' && !mode.offline
      ? this.waiting('meta.db was written, and influxd was not started since; start it')
      : undefined;
  }

  private observeLocal(mode: TickMode, signal: AbortSignal): Promise<LocalState> {
    return mode.offline ? this.observer.observeFile(signal) : this.observer.observeRunning(signal);
  }

  // ---- join

  private async joinIfNeeded(view: View): Promise<TickReport | undefined> {
    const { store, local, remote } = view;
    const why = isWrittenByUs(view) ? undefined : whyJoin(store.state, local, remote);
    if (why !== undefined) {
      const split = await this.whySplit(view);
      if (split !== undefined) return split;
      this.deps.logger.warn('joining the cluster anew', { reason: why });
      await store.append([{ record: 'join', why }]);
    }
    if (store.state.joining === undefined) return undefined;
    if (this.deps.settings.join === 'refuse' && remote.tag !== undefined) {
      return this.blocked(
        `this node would join (${store.state.joining}), and agent.join = "refuse" asks for a person: set it to "merge" or "pull"`,
      );
    }
    return this.whyForeign(view);
  }

  /** Two endpoints that name two incarnations are two clusters: nothing is changed on the word of one of them. */
  private async whySplit({ store, remote, signal }: View): Promise<TickReport | undefined> {
    const { tag } = store.state;
    if (tag === undefined || tag.incarnation === remote.tag?.incarnation) return undefined;
    const answers = await this.deps.api.survey(this.deps.cluster, signal);
    if (answers.every(({ incarnation }) => incarnation === remote.tag?.incarnation)) {
      return undefined;
    }
    await this.deps.remoteView.refresh(signal);
    const incarnations = new Set(answers.map(({ incarnation }) => incarnation));
    if (incarnations.size === 1) return this.again('an answer from before was overtaken');
    const each = answers.map(
      ({ endpoint, incarnation }) => `${endpoint} has ${incarnation ?? 'no such cluster'}`,
    );
    return this.blocked(
      `the managers do not belong together (${each.join(', ')}): nothing is changed; let agent.endpoints name managers of one store only`,
    );
  }

  private async whyForeign(view: View): Promise<TickReport | undefined> {
    const first = whyBlocked(view.local, await this.shards(view));
    if (first === undefined) return undefined;
    // Metadata and shards were asked for one after the other: what changed in between is seen alike by a second look.
    const shards = await this.shards(view);
    const still = whyBlocked(await this.observeLocal(view.mode, view.signal), shards);
    return still && this.blocked(`${still.sentence}; ${still.remedy}`);
  }

  private async shards({ local, signal }: View) {
    if (local.source === 'memory') return this.observer.loadedShards(signal);
    return this.deps.offline === undefined ? [] : this.deps.offline.shardsOnDisk(signal);
  }

  // ---- plan

  private plan(view: View, evidence: Evidence): Plan {
    const { local, remote, mode } = view;
    const { settings } = this.deps;
    const { entries, joining, tag } = view.store.state;
    return plan({
      entries: isWrittenByUs(view) ? withMoves(entries, writtenMoves(view)) : entries,
      local: local.schema,
      remote: remote.schema,
      marks: remote.marks.marks,
      tombstones: remote.marks.tombstones,
      recreated: evidence.recreated,
      whyUnproven: evidence.whyUnproven,
      isJoining: joining !== undefined,
      joinPolicy: settings.join === 'pull' ? 'pull' : 'merge',
      wasAwayTooLong: isOlderThanTombstones(tag, remote),
      isShared: settings.isShared,
      ownUser: settings.ownUser,
      mode: isWrittenByUs(view) ? { ...mode, push: false } : mode,
      nowMs: this.deps.nowMs(),
    });
  }

  /** The loaded shards are asked for only where something is gone, or may be another object of the same name. */
  private async evidence({ store, local, signal }: View): Promise<Evidence> {
    const { entries, lineage } = store.state;
    const suspects = findSuspects({
      entries,
      local: local.schema,
      before: lineage,
      now: local.lineage,
      nowMs: this.deps.nowMs(),
    });
    if (local.source !== 'memory') return judge(suspects, undefined);
    if (suspects.dropped.size === 0 && suspects.recreated.size === 0) {
      return judge(suspects, new Set());
    }
    const loaded = await this.observer.loadedShards(signal);
    return judge(suspects, new Set(loaded.map(({ id }) => id.toString())));
  }

  private dryRun(planned: Plan, remote: RemoteState): TickReport {
    const steps = stepsOfPlan(planned);
    return makeReport({
      outcome: steps.length === 0 ? 'no-action' : 'changed',
      sentence: steps.length === 0 ? 'nothing to do' : `${steps.length} changes would be made`,
      version: remote.tag?.version ?? 0,
      isInStep: steps.length === 0,
      pending: planned.pending,
      holds: planned.holds,
      steps,
    });
  }

  // ---- act

  private async act(planned: Plan, view: View, joined?: string): Promise<TickReport> {
    this.logConflicts(planned);
    const pushed = await this.push(planned, view);
    if (pushed === 'lost') return this.again('another node wrote at the same time');
    const applied = await this.apply(planned, view);
    const steps = [...pushed.steps, ...applied.steps];
    const pending = [...planned.pending, ...pushed.pending, ...applied.pending];
    const isQuiet = steps.length === 0 && !applied.hasMoved && !planned.isAgainOwed;
    const sentence = sentenceOf({
      cluster: this.deps.cluster,
      version: this.version,
      steps,
      pending: pending.length,
      held: planned.holds.length,
      joined,
    });
    return makeReport({
      outcome: isQuiet ? 'no-action' : 'changed',
      sentence,
      version: this.version,
      isInStep: isQuiet,
      pending,
      holds: planned.holds,
      steps,
    });
  }

  private async push(planned: Plan, view: View): Promise<'lost' | Acted> {
    if (planned.push === undefined) return NOTHING_DONE;
    const deps = { ...this.deps, store: view.store };
    const result = await push(planned.push, view.remote, deps, view.signal);
    switch (result.kind) {
      case 'lost':
        return 'lost';
      case 'accepted':
        return { ...NOTHING_DONE, steps: stepsOfPlan({ ...planned, applies: [] }) };
      case 'refused': {
        const reason = `the manager refused the write: ${result.detail}`;
        const pending = planned.push.changed.map((key) => ({ key, reason, remedy: '' }));
        return { ...NOTHING_DONE, pending };
      }
    }
  }

  private async apply({ applies }: Plan, view: View): Promise<Acted> {
    this.attempts.keepOnly(new Set(applies.map(({ key }) => key)));
    if (applies.length === 0) return NOTHING_DONE;
    if (view.mode.offline) {
      const { offline } = this.deps;
      if (offline === undefined) throw new AppError('internal', 'this process writes no meta.db');
      const carried = isWrittenByUs(view) ? writtenMoves(view) : [];
      return offline.apply({ applies, carried, local: view.local, store: view.store }, view.signal);
    }
    const deps = { ...this.deps, observer: this.observer, attempts: this.attempts };
    return new LiveApplier(deps, view.local, view.remote, view.signal).applyAll(applies);
  }

  private logConflicts({ conflicts }: Plan): void {
    for (const { key, field, local, remote } of conflicts) {
      const isSecret = field === 'hash' || field === 'destinations';
      this.deps.logger.warn('two nodes changed the same field; the committed value stays', {
        object: describeKey(key),
        field,
        ...(isSecret ? {} : { local: String(local), committed: String(remote) }),
      });
    }
  }

  // ---- reports of ticks that ended early

  private again(why: string): TickReport {
    return makeReport({
      outcome: 'changed',
      sentence: `${why}; looking again`,
      version: this.version,
    });
  }

  private waiting(sentence: string): TickReport {
    return makeReport({ outcome: 'waiting', sentence, version: this.version });
  }

  private blocked(sentence: string): TickReport {
    return makeReport({ outcome: 'blocked', sentence, version: this.version });
  }

  private failure(error: unknown): TickReport {
    const isExpected = isAppError(error, 'manager-unreachable', 'influxd-unreachable');
    return makeReport({
      outcome: isExpected ? 'waiting' : 'failed',
      sentence: messageOf(error),
      version: this.version,
      pending: [],
    });
  }

  private get version(): number {
    return this.deps.remoteView.tag?.version ?? 0;
  }
}

/** What acting brought, in whichever way. */
interface Acted {
  readonly steps: readonly StepTaken[];
  readonly pending: readonly PlannedPending[];
  readonly hasMoved: boolean;
}

const NOTHING_DONE: Acted = { steps: [], pending: [], hasMoved: false };

/** True where local is the file that we wrote and influxd has not loaded yet: it counts for planning, never for the base. */
function isWrittenByUs({ store, local }: Pick<View, 'store' | 'local'>): boolean {
  const { note } = store.state;
  return note?.kind === 'offline' && local.source === 'file' && note.term === local.lineage.term;
}

function writtenMoves({ store }: Pick<View, 'store'>): readonly Move[] {
  const { note } = store.state;
  return note?.kind === 'offline' ? note.moves : [];
}

/** What is in line moves, the lineage is noted, and a join that was planned in both directions is over. */
async function noteView(
  planned: Plan,
  { store, local, remote, mode }: View,
  unsettled: ReadonlySet<ObjectKey>,
): Promise<void> {
  const { lineage, joining, tag } = store.state;
  const records: BaseRecord[] = [];
  if (planned.moves.length > 0) records.push({ record: 'moves', moves: planned.moves });
  const step = lineageStep(lineage, local.lineage, unsettled);
  if (local.source !== 'none' && hasNews(step, lineage)) records.push({ record: 'lineage', step });
  if (!sameTag(tag, remote.tag)) {
    records.push({ record: 'tag', ...(remote.tag && { tag: remote.tag }) });
  }
  if (joining !== undefined && local.source !== 'none' && mode.push && mode.pull) {
    records.push({ record: 'joined' });
  }
  if (records.length > 0) await store.append(records);
}

/** Suspects that this plan's own moves do not settle. */
function unsettledBy({ moves }: Plan, { suspects }: Evidence): ReadonlySet<ObjectKey> {
  const unsettled = new Set(suspects);
  for (const { key } of moves) unsettled.delete(key);
  return unsettled;
}

function hasNews({ put, gone, index, content }: LineageStep, known: Lineage | undefined): boolean {
  return known?.index !== index || known.content !== content || put.length > 0 || gone.length > 0;
}

/** A node that last applied a version older than the oldest kept tombstone can't know what was dropped meanwhile. */
function isOlderThanTombstones(tag: VersionTag | undefined, remote: RemoteState): boolean {
  const oldest = remote.marks.tombstones[0]?.version;
  if (tag === undefined || oldest === undefined) return false;
  return tag.incarnation === remote.tag?.incarnation && tag.version < oldest;
}
