// Brings one batch to one owner: directly, or as a hint where the owner is away, slow, or has hints already that must come
// first. It answers twice: once the batch is safe, and once the direct request has ended.
import { isAbort, isAppError, messageOf } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import { errorOf } from '../errors.js';
import type { Handoff } from '../handoff/port.js';
import type { ApplyOutcome, BacklogNews, Batch, BatchSender } from '../owner/port.js';
import type { NodeDirectory } from '../placement/port.js';
import type { Lines } from './lines.js';
import type { OwnerState } from './owner-state.js';
import { joined, laterOf, needsHint, stateOf } from './owner-state.js';
import type { WriteMetrics } from './write-metrics.js';

export interface DeliveryDeps {
  readonly sender: BatchSender;
  readonly handoff: Pick<Handoff, 'holds' | 'keep' | 'drained' | 'isNearlyDrained'>;
  readonly news: Pick<BacklogNews, 'announce'>;
  readonly directory: Pick<NodeDirectory, 'node' | 'refresh'>;
  readonly clock: Pick<Clock, 'sleep' | 'monotonicMs'>;
  readonly metrics: Pick<WriteMetrics, 'noteSent' | 'noteHint'>;
}

/** A batch without its bytes, which come from its lines. */
export type BatchHead = Omit<Batch, 'body' | 'points'>;

export interface Parcel {
  readonly head: BatchHead;
  readonly lines: Lines;
}

export interface DeliveryOptions {
  /**
   * When the level is reached without an owner that is late, or is not waited for any more: before that a hint would not make
   * the answer come sooner, and what is written meanwhile would have to queue behind it. Never rejects.
   */
  readonly unneeded: Promise<void>;
  /** An owner that has not answered so long after that gets a hint, while its request runs on. */
  readonly hintAfterMs: number;
  /** `stale` and `deletes` become hints: it has been sent anew often enough. */
  readonly isLast: boolean;
  /** Aborted where the agent stops. */
  readonly signal: AbortSignal;
}

export interface Delivery {
  /** Applied, refused, or on disk here; or it can't be. Never rejects. */
  readonly secured: Promise<OwnerState>;
  /** Once the direct request has ended as well. Never rejects. */
  readonly ended: Promise<OwnerState>;
}

export class Deliveries {
  /** Requests to an owner that ran on after its hint: until they end, what is newer queues behind them. */
  private readonly late = new Map<string, number>();

  constructor(private readonly deps: DeliveryDeps) {}

  /** Whether a batch could go to that owner directly, as far as it is known here. */
  isDirect(node: number): boolean {
    const uid = this.deps.directory.node(node)?.uid;
    return uid !== undefined && !this.queues(uid);
  }

  begin(node: number, parcel: Parcel, options: DeliveryOptions): Delivery {
    const uid = this.deps.directory.node(node)?.uid;
    if (uid === undefined) return this.queued(node, parcel, options);
    if (!this.queues(uid)) return this.direct(node, uid, parcel, options);
    const turn = this.untilDrained(uid, options).then((isDrained) =>
      // In the turn in which it is so: what is newer goes after it, or beside it.
      isDrained && !this.queues(uid)
        ? this.direct(node, uid, parcel, options)
        : this.queued(node, parcel, options),
    );
    return {
      secured: turn.then(({ secured }) => secured),
      ended: turn.then(({ ended }) => ended),
    };
  }

  /**
   * Waits for the owner's hints to be delivered, for as long as its word is needed for the level, or where there is hardly
   * anything left: if every write were queued behind them, they would never come to an end while clients write.
   */
  private async untilDrained(
    uid: string,
    { unneeded, hintAfterMs }: DeliveryOptions,
  ): Promise<boolean> {
    const { handoff } = this.deps;
    const drained = handoff.drained(uid);
    const first = await Promise.race([drained, unneeded.then(() => undefined)]);
    if (first !== undefined) return first;
    return handoff.isNearlyDrained(uid) && (await this.within(hintAfterMs, drained)) === true;
  }

  private queued(node: number, parcel: Parcel, { signal }: DeliveryOptions): Delivery {
    const secured = this.hint(node, parcel, signal);
    return { secured, ended: secured };
  }

  private direct(node: number, uid: string, parcel: Parcel, options: DeliveryOptions): Delivery {
    const request = this.send(node, parcel, options.signal);
    const secured = this.secure(node, uid, parcel, request, options);
    const ended = Promise.all([request, secured]).then(([outcome, state]) =>
      laterOf(state, outcome),
    );
    return { secured, ended };
  }

  /** One direct request, in halves where it is too large. Never rejects; nothing is kept of it. */
  async send(node: number, { head, lines }: Parcel, signal: AbortSignal): Promise<ApplyOutcome> {
    const { clock, sender, metrics } = this.deps;
    const since = clock.monotonicMs();
    let outcome: ApplyOutcome;
    try {
      outcome = await sender.send(node, batchOf(head, lines), signal);
    } catch (error) {
      const why = isAbort(error) ? 'the agent stops' : messageOf(error);
      outcome = { kind: 'failed', why };
    }
    metrics.noteSent(node, outcome.kind, clock.monotonicMs() - since);
    if (outcome.kind !== 'too-large' || lines.count < 2) return outcome;
    const [first, second] = lines.halves();
    // One after the other: the second must not be there first.
    const before = await this.send(node, { head, lines: first }, signal);
    if (before.kind !== 'applied' && before.kind !== 'refused') return before;
    return joined(before, await this.send(node, { head, lines: second }, signal));
  }

  private queues(uid: string): boolean {
    return this.late.has(uid) || this.deps.handoff.holds(uid);
  }

  private async secure(
    node: number,
    uid: string,
    parcel: Parcel,
    request: Promise<ApplyOutcome>,
    { unneeded, hintAfterMs, isLast, signal }: DeliveryOptions,
  ): Promise<OwnerState> {
    const first = await Promise.race([request, unneeded.then(() => undefined)]);
    const outcome = first ?? (await this.within(hintAfterMs, request));
    if (outcome !== undefined) {
      if (!needsHint(outcome, isLast)) return stateOf(outcome);
      const hinted = await this.hint(node, parcel, signal, request);
      const isExplained = hinted.kind === 'hinted' && outcome.kind === 'failed';
      return isExplained ? { ...hinted, why: outcome.why } : hinted;
    }
    this.note(uid, 1);
    void request.then(() => {
      this.note(uid, -1);
    });
    return this.hint(node, parcel, signal, request);
  }

  /** The outcome, or undefined where there is none yet after that time. */
  private async within<T>(ms: number, request: Promise<T>): Promise<T | undefined> {
    const timer = new AbortController();
    const over = this.deps.clock.sleep(ms, timer.signal).then(
      () => undefined,
      // The request was quicker, which is the normal case.
      () => undefined,
    );
    const outcome = await Promise.race([request, over]);
    timer.abort(ANSWERED);
    return outcome;
  }

  private note(uid: string, change: number): void {
    const count = (this.late.get(uid) ?? 0) + change;
    if (count === 0) this.late.delete(uid);
    else this.late.set(uid, count);
  }

  private async hint(
    node: number,
    { head, lines }: Parcel,
    signal: AbortSignal,
    direct?: Promise<ApplyOutcome>,
  ): Promise<OwnerState> {
    const uid = await this.uidOf(node, signal);
    if (uid === undefined) return { kind: 'lost', why: `the registry lists no node ${node}` };
    const kept = await this.deps.handoff.keep(uid, batchOf(head, lines), direct);
    this.deps.metrics.noteHint(node, kept.kind === 'kept');
    if (kept.kind === 'refused') return { kind: 'lost', why: kept.why };
    try {
      // Also where it is not the first: another write may be just announcing that one.
      await this.deps.news.announce(uid, signal);
    } catch (error) {
      // Not announced, so not safe to acknowledge: the owner might answer reads without these points.
      const why = `the owner could not be told of its hint: ${messageOf(error)}`;
      return isAppError(error, 'isolated')
        ? { kind: 'lost', why, fault: errorOf(error) }
        : { kind: 'lost', why };
    }
    return { kind: 'hinted' };
  }

  private async uidOf(node: number, signal: AbortSignal): Promise<string | undefined> {
    const { directory } = this.deps;
    const known = directory.node(node)?.uid;
    if (known !== undefined) return known;
    // It may have registered a moment ago. Without a manager nothing more is known.
    await directory.refresh(signal).catch(() => false);
    return directory.node(node)?.uid;
  }
}

/** A reason that is made once: the timer of each batch is ended, as a rule. */
const ANSWERED = 'the request has ended';

function batchOf(head: BatchHead, lines: Lines): Batch {
  return { ...head, body: lines.body(), points: lines.count };
}
