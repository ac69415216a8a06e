// Everything of one owner: its log, who drains it, what is limited and counted. It says how much is held and takes no
// decision about writes.
import { isAppError } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { ApplyOutcome, Batch } from '../owner/port.js';
import { appendDeadLetter } from './dead-letters.js';
import type { DrainerDeps } from './drainer.js';
import { Drainer } from './drainer.js';
import { CHUNK_BYTES } from './chunk.js';
import type { HintFiles } from './hint-files.js';
import type { OwnerLog } from './owner-log.js';
import type { Backlog } from './port.js';
import { Tally } from './tally.js';
import { UnsureOrder } from './unsure-order.js';

export type OwnerDrain = Omit<
  DrainerDeps,
  'log' | 'tally' | 'bury' | 'directOf' | 'clock' | 'logger' | 'onPause' | 'onHeld'
>;

export interface OwnerHintsOptions {
  readonly uid: string;
  readonly directory: string;
  readonly files: HintFiles;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly drain: OwnerDrain;
  /** Records that newer points may stand behind older ones there. May reject; it is tried again. */
  readonly onUnsure: (groups: readonly number[], signal: AbortSignal) => Promise<void>;
}

/** One request is answered sooner: an owner that has had a hint before it for longer hangs. */
const STALLED_MS = 1_000;

export class OwnerHints {
  readonly tally: Tally;
  private readonly order: UnsureOrder;
  private readonly directs = new Map<number, Promise<unknown>>();
  private drainer: Drainer;
  private running: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined;
  /** Batches that are on their way into the log, from the first turn on. */
  private arriving = 0;
  /** Who is told once nothing is held, or that it may take long. */
  private waiting: ((isDrained: boolean) => void)[] = [];

  constructor(
    readonly log: OwnerLog,
    private readonly options: OwnerHintsOptions,
  ) {
    const { clock, logger, onUnsure: tell, drain } = options;
    this.tally = new Tally(clock);
    this.order = new UnsureOrder({ tell, retryMs: drain.retryMaxIntervalMs, clock, logger });
    this.drainer = this.newDrainer();
  }

  get uid(): string {
    return this.options.uid;
  }

  get holds(): boolean {
    return this.arriving > 0 || !this.log.isEmpty;
  }

  get node(): number | undefined {
    return this.options.drain.node();
  }

  /** Rejects with the file system's error. */
  async append(
    batch: Batch,
    direct: Promise<ApplyOutcome> | undefined,
  ): Promise<{ sequence: number; isFirst: boolean }> {
    const isFirst = !this.log.hasHeld;
    this.arriving += 1;
    try {
      const sequence = await this.log.append(batch, this.options.clock.nowMs(), (given) => {
        this.order.noteHint(given, batch);
        if (direct !== undefined) this.follow(given, direct, batch);
      });
      return { sequence, isFirst };
    } finally {
      this.arriving -= 1;
      this.drainer.arrived();
    }
  }

  /** See `Handoff.drained`. */
  drained(): Promise<boolean> {
    if (!this.holds) return Promise.resolve(true);
    const { state } = this.drainer;
    if (state === 'backing-off' || state === 'stopped') return Promise.resolve(false);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** See `Handoff.isNearlyDrained`. */
  get isNearlyDrained(): boolean {
    const { bytes, oldestMs } = this.log.totals;
    const ageMs = oldestMs === undefined ? 0 : this.options.clock.nowMs() - oldestMs;
    return bytes <= CHUNK_BYTES && ageMs < STALLED_MS;
  }

  settle(sequence: number): void {
    this.log.settle(sequence);
  }

  nudge(): void {
    this.drainer.nudge();
  }

  start(): void {
    const abort = new AbortController();
    this.running = { abort, ended: this.drainer.run(abort.signal) };
  }

  /** Ends the drainer; what it was sending is sent again by the next one. */
  async stop(): Promise<void> {
    this.running?.abort.abort();
    await this.running?.ended;
    this.running = undefined;
    this.tellWaiting(false);
  }

  async close(): Promise<void> {
    await this.stop();
    await this.order.stop();
    await this.log.close();
  }

  /** Gives up all that is held now. The caller has recorded what that means. */
  async drop(): Promise<void> {
    await this.stop();
    await this.log.drop();
    this.drainer = this.newDrainer();
    this.start();
  }

  get backlog(): Backlog {
    const { records, bytes, points, oldestMs, groups } = this.log.totals;
    return {
      ownerUid: this.uid,
      node: this.node,
      records,
      bytes,
      points,
      oldestMs: this.holds ? oldestMs : undefined,
      groups,
      state: this.drainer.state,
      lastError: this.drainer.lastError,
      bytesPerSecond: this.tally.bytesPerSecond,
      deadLetters: this.tally.deadLetters,
    };
  }

  /** Remembers the request that runs beside the hint until it has ended. */
  private follow(sequence: number, direct: Promise<ApplyOutcome>, { group, shard }: Batch): void {
    const followed = direct.then(
      (outcome) => {
        if (outcome.kind === 'applied') this.log.settle(sequence);
        const isHeld = outcome.kind === 'failed' && outcome.isHeld === true;
        if (isHeld) this.order.noteHeld(sequence, { group, shard });
      },
      // It was ended from outside: whether it was applied is unknown, so the hint stays.
      () => undefined,
    );
    this.directs.set(sequence, followed);
    void followed.then(() => this.directs.delete(sequence));
  }

  private tellWaiting(isDrained: boolean): void {
    for (const tell of this.waiting.splice(0)) tell(isDrained);
  }

  private newDrainer(): Drainer {
    const { drain, clock, logger } = this.options;
    return new Drainer({
      ...drain,
      clock,
      logger,
      log: this.log,
      tally: this.tally,
      directOf: (sequence) => this.directs.get(sequence),
      bury: (batch, lines, why) => this.bury(batch, lines, why),
      onDrained: () => {
        drain.onDrained();
        this.order.noteDrained();
        this.tellWaiting(true);
      },
      onHeld: (last, batch) => {
        this.order.noteHeld(last, batch);
      },
      onPause: () => {
        this.tellWaiting(false);
      },
    });
  }

  /** A letter that can't be kept is a line in the log: the hint itself is done either way. */
  private async bury(batch: Batch, lines: readonly Buffer[], why: string): Promise<void> {
    const { files, directory, clock, logger } = this.options;
    const { database, policy, precision } = batch;
    const letter = { atMs: clock.nowMs(), database, policy, precision, why, lines };
    logger.warn('points of hints were refused', { database, policy, lines: lines.length, why });
    try {
      const isKept = await appendDeadLetter(files, directory, letter);
      if (!isKept) logger.warn('the file of dead letters is full', { directory });
    } catch (error) {
      if (isAppError(error, 'aborted')) throw error;
      logger.error('writing a dead letter failed', { err: error });
    }
  }
}
