// One writer: sends batches one by one, each to any gateway at any level, and again with the same points where it is told that this
// is safe. What it knows of each goes into the ledger; an answer that no client should ever get is a surprise.
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../random.js';
import type { BatchMaker, PointBatch, WriteLevel } from './batches.js';
import { linesOf, PRECISIONS, WRITE_LEVELS } from './batches.js';
import { fateOf, writePoints, type WriteAnswer } from './gateway-client.js';
import type { BatchFate, Ledger } from './ledger.js';

export interface WriterDeps {
  readonly database: string;
  /** The database's default one is sent by no name now and then. */
  readonly defaultPolicy: string;
  /** Asked for at each batch. */
  readonly gateways: () => readonly string[];
  /** Owners of each shard. */
  readonly owners: number;
  readonly maker: BatchMaker;
  readonly ledger: Ledger;
  readonly surprises: string[];
}

/** Between two batches, at most. */
const LONGEST_PAUSE_MS = 80;
/** An owner that was restarted is back after a few of these; a level that needs one that is away is given up after all. */
const RETRY_PAUSE_MS = 200;
const ATTEMPTS = 4;
/** Of batches that were acknowledged, sent once more: that changes nothing. */
const SHARE_OF_REWRITES = 0.05;

export class PointWriter {
  constructor(
    private readonly writer: number,
    private readonly random: Random,
    private readonly deps: WriterDeps,
  ) {}

  /** Resolves when it was stopped and no request is under way any more. */
  async run(stop: AbortSignal): Promise<void> {
    for (;;) {
      await pause(this.random.below(LONGEST_PAUSE_MS), stop);
      if (stop.aborted) return;
      if (this.random.chance(SHARE_OF_REWRITES)) await this.rewrite();
      else await this.write(this.deps.maker.next(this.writer, this.random), stop);
    }
  }

  private async write(batch: PointBatch, stop: AbortSignal): Promise<void> {
    const { ledger, maker } = this.deps;
    ledger.noteSending(batch);
    const level = this.random.pick(WRITE_LEVELS);
    const fates: BatchFate[] = [];
    for (let attempt = 1; attempt <= ATTEMPTS && !stop.aborted; attempt += 1) {
      const answer = await this.send(batch, level);
      fates.push(fateOf(answer));
      if (answer.kind === 'acknowledged') {
        maker.noteAcknowledged(batch);
        break;
      }
      if (!mayBeSentAgain(answer)) break;
      await pause(RETRY_PAUSE_MS, stop);
    }
    ledger.note(batch, fates);
  }

  private async rewrite(): Promise<void> {
    const { ledger, defaultPolicy } = this.deps;
    const batches = ledger.acknowledgedOf(this.writer, defaultPolicy);
    if (batches.length > 0) await this.send(this.random.pick(batches), 'one');
  }

  private async send(batch: PointBatch, level: WriteLevel): Promise<WriteAnswer> {
    const { random, deps } = this;
    const precision = random.pick(PRECISIONS);
    const isUnnamed = batch.policy === deps.defaultPolicy && random.chance(0.5);
    const answer = await writePoints(random.pick(deps.gateways()), {
      database: deps.database,
      policy: isUnnamed ? '' : batch.policy,
      precision,
      level,
      lines: linesOf(batch, precision),
    });
    const why = surpriseOf(answer, level, deps.owners);
    if (why !== undefined) deps.surprises.push(`batch ${batch.number} at level ${level}: ${why}`);
    return answer;
  }
}

function mayBeSentAgain(answer: WriteAnswer): boolean {
  if (answer.kind === 'declined') return answer.isSafeToRetry;
  // A client that got no answer sends the same points again: for InfluxDB that is no other write.
  return answer.kind === 'not-sent' || answer.kind === 'unknown';
}

/** An acknowledgement that its own headers contradict, or a refusal of points that are right. */
function surpriseOf(answer: WriteAnswer, level: WriteLevel, owners: number): string | undefined {
  if (answer.kind === 'declined') {
    const isPassing = answer.status === 503 && answer.isSafeToRetry;
    return isPassing ? undefined : `${answer.status} ${answer.code}: ${answer.text.trim()}`;
  }
  if (answer.kind !== 'acknowledged') return undefined;
  const { applied, hinted } = answer;
  const counted = level === 'any' ? applied + hinted : applied;
  const needed = { any: 1, one: 1, quorum: Math.floor(owners / 2) + 1, all: owners }[level];
  if (counted >= needed && applied + hinted >= owners) return undefined;
  return `acknowledged with ${applied} applied and ${hinted} hinted of ${owners}`;
}

/** Being stopped is the only reason for which it may end early. */
async function pause(ms: number, stop: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal: stop }).catch(() => undefined);
}
