// The reconciler: settle what was begun, observe, plan, act; one tick at a time. It decides nothing on events, and nothing
// that it does depends on what an earlier tick had in memory.
import type { ApprovalOrder } from '../../shared/api/orders.js';
import { AppError, isAbort, isAppError, messageOf } from '../../shared/errors/app-error.js';
import { reached } from '../../shared/failpoint/failpoint.js';
import type { Logger } from '../../shared/log/logger.js';
import type { InfluxControl } from '../influxd/port.js';
import type { ManagerApi } from '../manager-api/port.js';
import { Announcer } from './announcer.js';
import { LiveApplier } from './apply-live.js';
import type { OfflineApplier } from './apply-offline.js';
import { movesOfApproval } from './approve.js';
import { Attempts } from './attempts.js';
import { withMoves } from './base.js';
import type { BaseStore } from './base-store.js';
import { MemoryBaseStore, TickStore } from './base-store.js';
import type { Evidence } from './evidence.js';
import { findSuspects, judge } from './evidence.js';
import type { JoinerDeps } from './joiner.js';
import { guardedPlan } from './guarded-plan.js';
import { heldItems } from './held.js';
import { joinIfNeeded } from './joiner.js';
import type { LocalState } from './observe.js';
import { LocalObserver } from './observe.js';
import type { Plan, PlannedPending } from './plan-types.js';
import { LIVE_MODE } from './port.js';
import type {
  HeldItem,
  Reconciler,
  StepTaken,
  SyncEvent,
  TickMode,
  TickOutcome,
  TickReport,
} from './port.js';
import { push } from './push.js';
import type { RemoteView } from './remote-view.js';
import { makeReport, sentenceOf, stepsOfPlan } from './report.js';
import { settleNote } from './settle-note.js';
import type { View } from './view.js';
import {
  isOlderThanTombstones,
  isWrittenByUs,
  noteView,
  unsettledBy,
  writtenMoves,
} from './view.js';

/** Why the file alone proves no drop. */
const NO_PROOF = {
  stopped: 'influxd is not running, and a file alone proves no drop',
  running:
    "influxd's backup port (influxdb.snapshot-address) does not answer, and the file alone proves no drop",
} as const;

const NOT_LOADED = 'meta.db was written, and influxd was not started since; start it';

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
    /** `guard.max-drops`. */
    readonly maxDrops: number;
  };
  /** A person's decision on what this node holds, where the managers have one. */
  readonly approval: () => ApprovalOrder | undefined;
  readonly onEvent: (event: SyncEvent) => void;
  /** The text behind a password hash of the cluster, where this agent was told it. */
  readonly passwordOf?: (user: string, hash: string) => string | undefined;
}

export class SyncReconciler implements Reconciler {
  lastReport: TickReport | undefined;
  private readonly observer: LocalObserver;
  private readonly attempts: Attempts;
  private queue: Promise<unknown> = Promise.resolve();
  private readonly announcer: Announcer;
  /** Until a first tick of this run has acted: what is seen first after a start was seen by nobody when it happened. */
  private isAfterStart = true;

  constructor(private readonly deps: ReconcilerDeps) {
    this.observer = new LocalObserver(deps.control);
    this.attempts = new Attempts(deps.nowMs);
    this.announcer = new Announcer(deps);
  }

  /** When something refused may be tried again (ms, own clock). */
  get nextDueMs(): number | undefined {
    return this.attempts.nextDueMs;
  }

  tick(mode: TickMode, signal: AbortSignal): Promise<TickReport> {
    const next = this.queue.then(() => this.tickOrFailure(mode, signal));
    this.queue = next.catch(() => undefined); // the caller of that tick has its error; the next one starts afresh
    return next;
  }

  /**
   * Runs somebody's statement where no tick is under way, and takes what it changed to the cluster in a tick right after it,
   * before any other. The report is undefined where `work` says that nothing changed.
   */
  around<T extends { readonly hasChanged: boolean }>(
    work: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<{ readonly result: T; readonly report: TickReport | undefined }> {
    const next = this.queue.then(async () => {
      const result = await work(signal);
      const report = result.hasChanged ? await this.tickOrFailure(LIVE_MODE, signal) : undefined;
      return { result, report };
    });
    this.queue = next.catch(() => undefined); // as of a tick
    return next;
  }

  private async tickOrFailure(mode: TickMode, signal: AbortSignal): Promise<TickReport> {
    try {
      const report = await this.run(mode, signal);
      if (!mode.dryRun) this.lastReport = report;
      return report;
    } catch (error) {
      if (isAbort(error) || signal.aborted) throw error;
      const report = this.failure(error);
      if (!mode.dryRun) this.lastReport = report;
      return report;
    }
  }

  private async run(mode: TickMode, signal: AbortSignal): Promise<TickReport> {
    await reached('agent.tick.begun');
    const { store: base } = this.deps;
    const store = new TickStore(mode.dryRun ? new MemoryBaseStore(base.state) : base);
    const settled = await settleNote(store, {
      ...this.deps,
      observe: () => this.observeLocal(mode, signal),
      signal,
    });
    if (settled === 'not-loaded' && !mode.offline) return this.report('waiting', NOT_LOADED);
    await reached('agent.settle.done');
    const local = await this.observeLocal(mode, signal);
    const remote = await this.deps.remoteView.load(signal);
    await reached('agent.observe.done');
    const view = { mode, signal, store, local, remote };
    const join = await joinIfNeeded(view, this.joinerDeps());
    if (join.kind === 'again') return this.again(join.why);
    if (join.kind === 'blocked') return this.report('blocked', join.sentence);
    await this.approve(view);
    const evidence = await this.evidence(view);
    const planned = this.plan(view, evidence);
    if (mode.dryRun) return this.dryRun(planned, view);
    const joined = store.state.joining;
    const unsettled = unsettledBy(planned, evidence);
    if (!isWrittenByUs(view)) noteView(planned, view, { unsettled, nowMs: this.deps.nowMs() });
    await reached('agent.plan.done');
    return this.act(planned, view, joined);
  }

  private joinerDeps(): JoinerDeps {
    return {
      ...this.deps,
      join: this.deps.settings.join,
      observe: ({ mode, signal }) => this.observeLocal(mode, signal),
      shards: ({ local, signal }) =>
        local.source === 'memory'
          ? this.observer.loadedShards(signal)
          : (this.deps.offline?.shardsOnDisk(signal) ?? Promise.resolve([])),
    };
  }

  private observeLocal(mode: TickMode, signal: AbortSignal): Promise<LocalState> {
    // Offline the file is read by who will replace it: that one makes sure first that influxd is stopped.
    return mode.offline
      ? this.observer.observeFile(signal, this.deps.offline)
      : this.observer.observeRunning(signal);
  }

  // ---- plan

  /** Carries out what a person decided about the list that is held now; another list has to be decided anew. */
  private async approve({ store, local, remote }: View): Promise<void> {
    const approval = this.deps.approval();
    if (approval === undefined) return;
    const { entries } = store.state;
    const moves = movesOfApproval(approval, { entries, local: local.schema, remote });
    if (moves.length === 0) return;
    const count = heldItems(entries, undefined).length;
    await store.append([{ record: 'moves', moves }]);
    this.announcer.decided(approval.decision, count);
  }

  private plan(view: View, evidence: Evidence): Plan {
    const { local, remote, mode } = view;
    const { settings } = this.deps;
    const { entries, joining, tag, passed } = view.store.state;
    const input = {
      entries: isWrittenByUs(view) ? withMoves(entries, writtenMoves(view)) : entries,
      local: local.schema,
      remote: remote.schema,
      marks: remote.marks.marks,
      tombstones: remote.marks.tombstones,
      recreated: evidence.recreated,
      whyUnproven: evidence.whyUnproven,
      isJoining: joining !== undefined,
      joinPolicy: settings.join === 'pull' ? ('pull' as const) : ('merge' as const),
      wasAwayTooLong: isOlderThanTombstones(tag, remote),
      isShared: settings.isShared,
      ownUser: settings.ownUser,
      mode: isWrittenByUs(view) ? { ...mode, push: false } : mode,
      nowMs: this.deps.nowMs(),
      isAfterGap: this.isAfterStart || joining !== undefined,
    };
    return guardedPlan(input, { maxDrops: settings.maxDrops, passed });
  }

  /** The loaded shards are asked for only where something is gone, or may be another object of the same name. */
  private async evidence({ store, local, mode, signal }: View): Promise<Evidence> {
    const { entries, lineage } = store.state;
    const suspects = findSuspects({
      entries,
      local: local.schema,
      before: lineage,
      now: local.lineage,
      nowMs: this.deps.nowMs(),
    });
    if (local.source !== 'memory')
      return judge(suspects, NO_PROOF[mode.offline ? 'stopped' : 'running']);
    if (suspects.dropped.size === 0 && suspects.recreated.size === 0) {
      return judge(suspects, new Set());
    }
    const loaded = await this.observer.loadedShards(signal);
    return judge(suspects, new Set(loaded.map(({ id }) => id.toString())));
  }

  private dryRun(planned: Plan, { store, remote }: View): TickReport {
    const steps = stepsOfPlan(planned);
    return makeReport({
      outcome: steps.length === 0 ? 'no-action' : 'changed',
      sentence: steps.length === 0 ? 'nothing to do' : `${steps.length} changes would be made`,
      version: remote.tag?.version ?? 0,
      isInStep: steps.length === 0,
      pending: planned.pending,
      held: this.heldIn(withMoves(store.state.entries, planned.moves)),
      steps,
    });
  }

  // ---- act

  private async act(planned: Plan, view: View, joined?: string): Promise<TickReport> {
    this.announcer.conflicts(planned);
    if (joined !== undefined && view.store.state.joining === undefined) {
      this.announcer.joined(joined, this.version);
    }
    const pushed = await this.push(planned, view);
    if (pushed === 'lost') {
      return { ...this.again('another node wrote at the same time'), isLostSwap: true };
    }
    const applied = await this.apply(planned, view);
    await view.store.flush();
    if (view.mode.push && view.mode.pull) this.isAfterStart = false;
    const held = this.heldIn(view.store.state.entries);
    this.announcer.held(held);
    const steps = [...pushed.steps, ...applied.steps];
    const pending = [...planned.pending, ...pushed.pending, ...applied.pending];
    const isQuiet = steps.length === 0 && !applied.hasMoved && !planned.isAgainOwed;
    const sentence = sentenceOf({
      cluster: this.deps.cluster,
      version: this.version,
      steps,
      pending: pending.length,
      held: held.length,
      joined,
    });
    return makeReport({
      outcome: isQuiet ? 'no-action' : 'changed',
      sentence,
      version: this.version,
      isInStep: isQuiet,
      pending,
      held,
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

  // ---- reports of ticks that ended early

  private again(why: string): TickReport {
    return this.report('changed', `${why}; looking again`);
  }

  private report(outcome: TickOutcome, sentence: string): TickReport {
    const held = this.heldIn(this.deps.store.state.entries);
    return makeReport({ outcome, sentence, version: this.version, held });
  }

  private heldIn(entries: View['store']['state']['entries']): HeldItem[] {
    return heldItems(entries, this.deps.nodeId());
  }

  private failure(error: unknown): TickReport {
    const isExpected = isAppError(error, 'manager-unreachable', 'influxd-unreachable');
    if (isAppError(error, 'influxd-running')) return this.report('blocked', messageOf(error));
    return this.report(isExpected ? 'waiting' : 'failed', messageOf(error));
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
