// Brings the hints of one owner to it, oldest first and one request at a time, for as long as it takes. Nothing is given up
// that was not first told: to the cluster (the owner lacks points) or to people (dead letters).
import { isAbort, messageOf } from '../../../shared/errors/app-error.js';
import { reached } from '../../../shared/failpoint/failpoint.js';
import { createBackoff, type Backoff } from '../../../shared/lifecycle/backoff.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { ApplyOutcome, Batch, BatchSender } from '../owner/port.js';
import { joined } from './chunk.js';
import { blamedLines, countLines, halve, isBeyondRetention } from './lines.js';
import type { HintItem, LogItem } from './log-item.js';
import { Lookahead } from './lookahead.js';
import type { OwnerLog } from './owner-log.js';
import type { Backlog } from './port.js';
import type { Tally } from './tally.js';
import type { TokenBucket } from './token-bucket.js';

export interface DrainerDeps {
  readonly log: OwnerLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tally: Tally;
  readonly bucket: TokenBucket;
  readonly sender: BatchSender;
  readonly retryIntervalMs: number;
  readonly retryMaxIntervalMs: number;
  readonly maxAgeMs: number;
  readonly random?: (() => number) | undefined;
  /** The owner's node id; undefined where it is not registered (any more). */
  readonly node: () => number | undefined;
  /** Versions of placement and metadata that this agent works by now. */
  readonly versions: () => { readonly placement: number; readonly metadata: number };
  /** Asks for versions that the owner has. May reject; it is tried again. */
  readonly catchUp: (placement: number, metadata: number, signal: AbortSignal) => Promise<void>;
  /**
   * The batch without what numbered deletes above its own number, up to `upTo`, matched, and with that number; undefined
   * where nothing is left. May reject; it is tried again.
   */
  readonly afterDeletes: (
    batch: Batch,
    upTo: number,
    signal: AbortSignal,
  ) => Promise<Batch | undefined>;
  /** Records that the owner may lack points of these groups (undefined: of any). May reject; it is tried again. */
  readonly onLost: (
    groups: readonly number[] | undefined,
    why: string,
    signal: AbortSignal,
  ) => Promise<void>;
  /** Keeps refused lines for people. Never rejects. */
  readonly bury: (batch: Batch, lines: readonly Buffer[], why: string) => Promise<void>;
  /** The request for the same points that still runs beside the hint. */
  readonly directOf: (sequence: number) => Promise<unknown> | undefined;
  /** All is delivered, durably, and nothing new is waiting: called in the same turn in which that is true. */
  readonly onDrained: () => void;
  /** A request was given up that the owner may still hold; `last`: the newest hint in it. */
  readonly onHeld: (last: number, batch: Batch) => void;
  /** Nothing can be sent for now: the owner is away, or refuses. */
  readonly onPause: () => void;
}

export class Drainer {
  state: Backlog['state'] = 'idle';
  lastError: string | undefined;
  private readonly lookahead: Lookahead;
  /** The newest hint of what is being delivered. */
  private last = 0;
  private readonly backoff: Backoff;
  private wakeUp = new AbortController();
  /** For hints, not for the owner. */
  private isWaiting = false;

  constructor(private readonly deps: DrainerDeps) {
    this.lookahead = new Lookahead(deps.log);
    this.backoff = createBackoff({
      initialMs: deps.retryIntervalMs,
      maxMs: deps.retryMaxIntervalMs,
      ...(deps.random === undefined ? {} : { random: deps.random }),
    });
  }

  /** There is a new hint. A pause after a failure goes on: new hints do not make the owner come back. */
  arrived(): void {
    if (this.isWaiting) this.wakeUp.abort();
  }

  /** The owner was seen: attempts it at once, and the next pause is a short one too. */
  nudge(): void {
    if (this.isWaiting) return;
    this.backoff.reset();
    this.wakeUp.abort();
  }

  /** Ends at the signal. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.tellLost(signal);
      for (;;) await this.step(signal);
    } catch (error) {
      this.state = 'stopped';
      if (signal.aborted && isAbort(error)) return;
      this.lastError = messageOf(error);
      this.deps.logger.error('hints for an owner are no longer sent', { err: error });
    }
  }

  private async step(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { log } = this.deps;
    const items = await this.insist(() => this.lookahead.next(), signal);
    if (items.length > 0) {
      await this.finish(items, signal);
      await this.insist(() => log.done(items), signal);
    }
    if (this.lookahead.hasMore || log.hasUnread) return;
    if (log.hasHeld) await this.insist(() => log.flush(), signal);
    if (!log.isEmpty) {
      // Something is just being written: its turn comes when it is durable.
      await log.committed();
      return;
    }
    this.backoff.reset();
    this.state = 'idle';
    this.lastError = undefined;
    this.deps.onDrained();
    await this.untilWoken(signal);
  }

  private async finish(items: readonly LogItem[], signal: AbortSignal): Promise<void> {
    const [first] = items;
    if (first?.kind === 'lost') {
      this.deps.tally.lost += first.end - first.sequence;
      this.deps.logger.error('hints are damaged', { why: first.why });
      await this.giveUp(first.groups, first.why, signal);
      return;
    }
    await this.deliver(items as readonly HintItem[], signal);
  }

  /** Resolves when each of them was applied, settled, or given up. */
  private async deliver(items: readonly HintItem[], signal: AbortSignal): Promise<void> {
    let open = items;
    /** Set once the request had to be taken apart. */
    let parts: Batch[] | undefined;
    for (;;) {
      await this.untilRegistered(signal);
      if (parts === undefined) {
        open = await this.stillOpen(open, signal);
        if (open.length === 0) return;
      }
      const part = parts === undefined ? joined(open) : parts[0];
      if (part === undefined) break;
      this.last = open.at(-1)?.sequence ?? 0;
      const rest = await this.attempt(part, signal);
      if (rest === 'again') await this.pause(signal);
      else if (parts !== undefined || rest.length > 0) {
        parts = [...rest, ...(parts ?? []).slice(1)];
      } else break;
    }
    this.deps.tally.delivered(
      open.length,
      open.reduce((sum, { length }) => sum + length, 0),
    );
  }

  /** Without those that were settled, or are too old; requests for them that still run are waited for. */
  private async stillOpen(items: readonly HintItem[], signal: AbortSignal): Promise<HintItem[]> {
    const { log, clock, maxAgeMs, tally, directOf } = this.deps;
    for (const { sequence } of items) await ended(directOf(sequence), signal);
    const unsettled = items.filter(({ sequence }) => !log.isSettled(sequence));
    tally.settled += items.length - unsettled.length;
    const expired = unsettled.filter(({ takenMs }) => takenMs < clock.nowMs() - maxAgeMs);
    if (expired.length === 0) return unsettled;
    const groups = [...new Set(expired.map(({ batch }) => batch.group))];
    await this.giveUp(
      groups,
      `hints for it expired, being older than ${maxAgeMs / 1000} s`,
      signal,
    );
    tally.expired += expired.length;
    return unsettled.filter((item) => !expired.includes(item));
  }

  /** One request. What is left of the batch to be sent; `again`: all of it, later. */
  private async attempt(part: Batch, signal: AbortSignal): Promise<'again' | readonly Batch[]> {
    const { sender, bucket, versions, logger } = this.deps;
    const node = this.deps.node();
    if (node === undefined) return 'again';
    const { placement, metadata } = versions();
    const batch = {
      ...part,
      placementVersion: Math.max(part.placementVersion, placement),
      metadataVersion: Math.max(part.metadataVersion, metadata),
    };
    try {
      await bucket.take(batch.body.length, signal);
      await reached('handoff.replay.planned');
      const outcome = await sender.send(node, batch, signal);
      await reached('handoff.replay.answered');
      return await this.judge(outcome, batch, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      logger.debug('an attempt to send hints failed', { node, err: error });
      this.lastError = messageOf(error);
      return 'again';
    }
  }

  private async judge(
    outcome: ApplyOutcome,
    batch: Batch,
    signal: AbortSignal,
  ): Promise<'again' | readonly Batch[]> {
    const { tally, catchUp, afterDeletes } = this.deps;
    switch (outcome.kind) {
      case 'applied':
        return this.went();
      case 'refused':
        await this.refused(batch, outcome.text, outcome.dropped, signal);
        return this.went();
      case 'gone':
        tally.gone += batch.points;
        this.deps.logger.warn('points of hints have nowhere to go', { why: outcome.why });
        return this.went();
      case 'too-large': {
        const halves = halvesOf(batch);
        if (halves !== undefined) return halves;
        await this.refused(batch, 'a single point is larger than influxd takes', 1, signal);
        return this.went();
      }
      case 'deletes': {
        const left = await afterDeletes(batch, outcome.deletes, signal);
        return left === undefined ? this.went() : [left];
      }
      case 'stale':
        this.lastError = `it works by placement ${outcome.placementVersion} and metadata ${outcome.metadataVersion}`;
        await catchUp(outcome.placementVersion, outcome.metadataVersion, signal);
        return 'again';
      case 'catching-up':
        this.lastError = 'it takes nothing but hints, and did not see that this is one';
        return 'again';
      case 'failed':
        this.lastError = outcome.why;
        if (outcome.isHeld === true) this.deps.onHeld(this.last, batch);
        return 'again';
    }
  }

  /** influxd has applied the rest of it. */
  private async refused(
    batch: Batch,
    text: string,
    dropped: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { tally, bury } = this.deps;
    if (isBeyondRetention(text)) {
      tally.expired += Math.max(1, dropped);
      return;
    }
    await bury(batch, blamedLines(batch.body, text), text);
    tally.deadLetters += Math.max(1, dropped);
    await this.giveUp([batch.group], `it refused points that were kept for it: ${text}`, signal);
  }

  private went(): readonly Batch[] {
    this.state = 'draining';
    this.lastError = undefined;
    this.backoff.reset();
    return [];
  }

  private async tellLost(signal: AbortSignal): Promise<void> {
    const { log, tally, logger } = this.deps;
    const { lost, cutBytes } = log.found;
    if (cutBytes > 0) logger.warn('the end of a file of hints was cut off', { bytes: cutBytes });
    for (const { groups } of lost) {
      tally.lost += 1;
      logger.error('a file of hints is gone');
      await this.giveUp(groups, 'a file with hints for it is gone', signal);
    }
    await this.insist(() => log.forget(lost), signal);
  }

  private giveUp(
    groups: readonly number[] | undefined,
    why: string,
    signal: AbortSignal,
  ): Promise<void> {
    return this.insist(() => this.deps.onLost(groups, why, signal), signal);
  }

  /** Hints of a node that is not registered stay until somebody purges them, or it comes back. */
  private async untilRegistered(signal: AbortSignal): Promise<void> {
    while (this.deps.node() === undefined) {
      this.state = 'stopped';
      this.deps.onPause();
      this.lastError = 'no such node is registered';
      await this.sleep(this.deps.retryMaxIntervalMs, signal);
    }
  }

  /** Does it until it succeeds. */
  private async insist<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (signal.aborted) throw error;
        this.lastError = messageOf(error);
        this.deps.logger.warn('handling hints failed, and is tried again', { err: error });
        await this.pause(signal);
      }
    }
  }

  private async pause(signal: AbortSignal): Promise<void> {
    this.state = 'backing-off';
    this.deps.onPause();
    await this.sleep(this.backoff.nextDelayMs(), signal);
  }

  private async untilWoken(signal: AbortSignal): Promise<void> {
    const woken = AbortSignal.any([this.rearm(), signal]);
    if (!this.deps.log.isEmpty) return;
    this.isWaiting = true;
    await new Promise<void>((resolve) => {
      if (woken.aborted) resolve();
      else {
        woken.addEventListener('abort', () => {
          resolve();
        });
      }
    });
    this.isWaiting = false;
    signal.throwIfAborted();
  }

  private async sleep(ms: number, signal: AbortSignal): Promise<void> {
    const woken = this.rearm();
    try {
      await this.deps.clock.sleep(ms, AbortSignal.any([woken, signal]));
    } catch (error) {
      if (signal.aborted || !woken.aborted) throw error;
    }
  }

  private rearm(): AbortSignal {
    this.wakeUp = new AbortController();
    return this.wakeUp.signal;
  }
}

function halvesOf(batch: Batch): readonly Batch[] | undefined {
  return halve(batch.body)?.map((body) => ({ ...batch, body, points: countLines(body) }));
}

/** Resolves when it has ended, in whatever; rejects at the signal. */
async function ended(running: Promise<unknown> | undefined, signal: AbortSignal): Promise<void> {
  if (running === undefined) return;
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const end = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    running.then(end, end);
  });
}
