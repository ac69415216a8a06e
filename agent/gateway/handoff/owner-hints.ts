// Everything of one owner: its log, who drains it, what is limited and counted. It says how much is held and takes no
// decision about writes.
import { isAppError } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { ApplyOutcome, Batch } from '../owner/port.js';
import { appendDeadLetter } from './dead-letters.js';
import type { DrainerDeps } from './drainer.js';
import { Drainer } from './drainer.js';
import type { HintFiles } from './hint-files.js';
import type { OwnerLog } from './owner-log.js';
import type { Backlog } from './port.js';
import { Tally } from './tally.js';

export type OwnerDrain = Omit<
  DrainerDeps,
  'log' | 'tally' | 'bury' | 'directOf' | 'clock' | 'logger'
>;

export interface OwnerHintsOptions {
  readonly uid: string;
  readonly directory: string;
  readonly files: HintFiles;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly drain: OwnerDrain;
}

export class OwnerHints {
  readonly tally: Tally;
  private readonly directs = new Map<number, Promise<unknown>>();
  private drainer: Drainer;
  private running: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined;
  /** Batches that are on their way into the log, from the first turn on. */
  private arriving = 0;

  constructor(
    readonly log: OwnerLog,
    private readonly options: OwnerHintsOptions,
  ) {
    this.tally = new Tally(options.clock);
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
        if (direct !== undefined) this.follow(given, direct);
      });
      return { sequence, isFirst };
    } finally {
      this.arriving -= 1;
      this.drainer.arrived();
    }
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
  }

  async close(): Promise<void> {
    await this.stop();
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
  private follow(sequence: number, direct: Promise<ApplyOutcome>): void {
    const followed = direct.then(
      (outcome) => {
        if (outcome.kind === 'applied') this.log.settle(sequence);
      },
      // It was ended from outside: whether it was applied is unknown, so the hint stays.
      () => undefined,
    );
    this.directs.set(sequence, followed);
    void followed.then(() => this.directs.delete(sequence));
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
