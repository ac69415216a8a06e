// What the agent knows of itself, in one place: for /status, /readyz, the heartbeat and the ready file. It only remembers
// what the other parts tell it, and decides nothing but readiness.
import { AppError } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Readiness } from '../../shared/http/status-server.js';
import { describeKey } from '../../shared/meta/diff.js';
import type { HeldHints } from '../manager-api/membership-port.js';
import type { Standing } from '../membership/membership.js';
import { RESTARTING } from '../restart/members.js';
import type { HeldItem as WireHeldItem, HeldList } from '../../shared/api/orders.js';
import { MAX_HELD_ITEMS } from '../../shared/api/orders.js';
import { digestOfHeld } from '../sync/held.js';
import type { HeldItem, TickReport } from '../sync/port.js';

/** `/status`, for people and the command line. */
export interface StatusBody {
  /** null before the first registration. */
  readonly node: number | null;
  readonly cluster: string;
  /** The cluster's version that was compared with last, 0 for none. */
  readonly version: number;
  readonly sentence: string;
  readonly 'in-step': boolean;
  readonly pending: readonly { object: string; reason: string; remedy: string }[];
  readonly held: readonly WireHeldItem[];
  /** Writes kept for other nodes. */
  readonly hints: readonly HeldHints[];
  /** Shards that the local influxd has loaded, with its own ids and their bytes on disk; looked at once a minute. */
  readonly shards: readonly { readonly id: string; readonly bytes: number }[];
  readonly influxd: { readonly answers: boolean; readonly version: string | null };
}

export interface AgentStatusOptions {
  readonly cluster: string;
  /** `agent.ready-timeout`: being registered and in step is asked for no longer than this after the start. */
  readonly readyTimeoutMs: number;
  readonly clock: Clock;
  readonly hints: () => readonly HeldHints[];
  /** Loaded shards of the local influxd. */
  readonly shards?: () => StatusBody['shards'];
}

/**
 * The reconciler waits this long for the first registration, which takes milliseconds where a manager is there: without
 * that, each start would begin with a tick that says that nobody is.
 */
const FIRST_ANSWER_MS = 500;

export class AgentStatus {
  private readonly startedMs: number;
  private readonly listeners = new Set<() => void>();
  private standing: Standing = { kind: 'unregistered' };
  private report: TickReport | undefined;
  private hasTickedAsMember = false;
  private wasInStep = false;
  private versionInStep = 0;
  private influxdVersion: string | undefined;
  private isRestarting = false;
  private isServing = false;

  constructor(private readonly options: AgentStatusOptions) {
    this.startedMs = options.clock.monotonicMs();
  }

  noteStanding(standing: Standing): void {
    this.standing = standing;
    this.changed();
  }

  noteReport(report: TickReport): void {
    this.report = report;
    if (this.standing.kind === 'member') this.hasTickedAsMember = true;
    if (report.inStep) {
      this.wasInStep = true;
      this.versionInStep = report.version;
    }
    this.changed();
  }

  /** The placement counts this node, and it takes points and reads: asked once per start, like being in step. */
  noteServing(): void {
    if (this.isServing) return;
    this.isServing = true;
    this.changed();
  }

  /** influxd is about to be stopped for what no statement can set, or answers again. */
  noteRestarting(isRestarting: boolean): void {
    this.isRestarting = isRestarting;
    this.changed();
  }

  /** The version of the influxd that answers; undefined where none does. */
  noteInfluxd(version: string | undefined): void {
    if (version === this.influxdVersion) return;
    this.influxdVersion = version;
    this.changed();
  }

  get currentStanding(): Standing {
    return this.standing;
  }

  /** The newest version that this node was in step with. */
  get appliedVersion(): number {
    return this.versionInStep;
  }

  get pendingCount(): number {
    return this.report?.pending.length ?? 0;
  }

  /** What waits for a person, for the heartbeat; undefined where nothing does. */
  get held(): HeldList | undefined {
    const held = this.report?.held ?? [];
    if (held.length === 0) return undefined;
    const items = held.slice(0, MAX_HELD_ITEMS).map(heldInWords);
    return { digest: digestOfHeld(held), count: held.length, items };
  }

  /** One word for the registry. */
  get state(): string {
    const { report, standing } = this;
    if (standing.kind === 'refused') return 'refused';
    if (this.isRestarting) return RESTARTING;
    if (report === undefined) return 'starting';
    if (report.outcome === 'paused') return 'paused';
    if (report.outcome === 'blocked' || report.outcome === 'failed') return report.outcome;
    if (!report.inStep) return report.outcome === 'waiting' ? 'waiting' : 'syncing';
    return report.pending.length > 0 || report.held.length > 0 ? 'pending' : 'in-step';
  }

  /**
   * Being registered and in step is asked once per start, and gives way to the timeout: afterwards only the local influxd
   * counts, because nothing that happens elsewhere may take a healthy server out of service.
   */
  readiness(): Readiness {
    if (this.influxdVersion === undefined) {
      return { ready: false, detail: 'the local influxd does not answer' };
    }
    if (this.report === undefined) {
      return { ready: false, detail: 'the first look at the metadata has not ended yet' };
    }
    if (this.isOverdue) return { ready: true, detail: this.sentence };
    if (this.standing.kind === 'refused') return { ready: false, detail: this.standing.sentence };
    if (this.standing.kind !== 'member') {
      return { ready: false, detail: 'not registered with a manager yet' };
    }
    if (!this.wasInStep) {
      return { ready: false, detail: `not in step with the cluster yet: ${this.sentence}` };
    }
    return this.isServing
      ? { ready: true, detail: this.sentence }
      : {
          ready: false,
          detail:
            'the gateway does not take points yet: the other nodes have not said what they hold for this one',
        };
  }

  view(): StatusBody {
    const { report } = this;
    return {
      node: this.standing.kind === 'member' ? this.standing.id : null,
      cluster: this.options.cluster,
      version: report?.version ?? 0,
      sentence: this.sentence,
      'in-step': report?.inStep ?? false,
      pending: (report?.pending ?? []).map(({ object, reason, remedy }) => ({
        object: describeKey(object),
        reason,
        remedy,
      })),
      held: (report?.held ?? []).map(heldInWords),
      hints: this.options.hints(),
      shards: this.options.shards?.() ?? [],
      influxd: {
        answers: this.influxdVersion !== undefined,
        version: this.influxdVersion ?? null,
      },
    };
  }

  /**
   * Resolves when a first tick has ended and this node takes points and reads, or because the ready timeout is over; rejects
   * `aborted`.
   */
  whenStarted(signal: AbortSignal): Promise<void> {
    return this.until(() => this.hasStarted, this.options.readyTimeoutMs, signal);
  }

  /** Resolves when a manager has answered a registration, or after a moment in which one would have; rejects `aborted`. */
  whenAnswered(signal: AbortSignal): Promise<void> {
    const isOver = () => this.standing.kind !== 'unregistered' || this.ageMs >= FIRST_ANSWER_MS;
    return this.until(isOver, FIRST_ANSWER_MS, signal);
  }

  /** Looks at each change, and once after `timeoutMs`, because time alone is no change that somebody would tell of. */
  private until(isDone: () => boolean, timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = new AbortController();
      const end = () => {
        timer.abort();
        this.listeners.delete(look);
        signal.removeEventListener('abort', onAbort);
      };
      const look = () => {
        if (!isDone()) return;
        end();
        resolve();
      };
      const onAbort = () => {
        end();
        reject(new AppError('aborted', 'the agent stops before it has started'));
      };
      signal.addEventListener('abort', onAbort);
      this.listeners.add(look);
      // Its only rejection is our own abort, by `end`.
      this.options.clock.sleep(timeoutMs, timer.signal).then(look, () => undefined);
      if (signal.aborted) onAbort();
      else look();
    });
  }

  private get hasStarted(): boolean {
    if (this.hasTickedAsMember && this.isServing) return true;
    return this.isOverdue && this.report !== undefined;
  }

  private get isOverdue(): boolean {
    return this.ageMs >= this.options.readyTimeoutMs;
  }

  private get ageMs(): number {
    return this.options.clock.monotonicMs() - this.startedMs;
  }

  private get sentence(): string {
    return this.report?.sentence ?? 'starting';
  }

  private changed(): void {
    for (const listener of [...this.listeners]) listener();
  }
}

function heldInWords({ object, ...item }: HeldItem): WireHeldItem {
  return { ...item, object: describeKey(object) };
}
