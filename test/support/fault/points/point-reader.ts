// One reader: asks one gateway all the while for what a writer has been told is there. A whole answer that lacks a point which was
// acknowledged before the question was sent is a miss; a refusal is allowed, and timed.
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../random.js';
import { measurementOf, seriesKey, type PointBatch } from './batches.js';
import { readPoints, type AnswerSeries } from './gateway-client.js';
import type { Ledger } from './ledger.js';
import type { ReadRecord } from './read-record.js';

export interface ReaderDeps {
  readonly database: string;
  readonly policies: readonly string[];
  readonly writers: number;
  readonly ledger: Ledger;
  readonly record: ReadRecord;
}

const LONGEST_PAUSE_MS = 60;

export class PointReader {
  constructor(
    private readonly gateway: string,
    private readonly random: Random,
    private readonly deps: ReaderDeps,
  ) {}

  /** Resolves when it was stopped and no request is under way any more. */
  async run(stop: AbortSignal): Promise<void> {
    for (;;) {
      const pauseMs = this.random.below(LONGEST_PAUSE_MS);
      // Being stopped is the only reason for which the pause may end early.
      await delay(pauseMs, undefined, { signal: stop }).catch(() => undefined);
      if (stop.aborted) return;
      await this.read();
    }
  }

  private async read(): Promise<void> {
    const { database, policies, writers, ledger, record } = this.deps;
    const [writer, policy] = [this.random.below(writers), this.random.pick(policies)];
    const wanted = ledger.acknowledgedOf(writer, policy);
    const sentMs = performance.now();
    const answer = await readPoints(this.gateway, database, countsOf(writer, policy));
    if (answer.kind === 'failed') {
      record.noteFailed(answer.why);
      return;
    }
    const { servedBy, series } = answer;
    record.noteServed(servedBy, missesIn(wanted, series), { sentMs });
  }
}

/** Counts the points of each batch of a writer. */
export function countsOf(writer: number, policy: string): string {
  return `SELECT count("v") FROM "${policy}"."${measurementOf(writer)}" WHERE "w" = '${writer}' GROUP BY "b"`;
}

/** What an answer to `countsOf` lacks of the batches that were acknowledged before it was asked for, in words. */
export function missesIn(
  wanted: readonly PointBatch[],
  series: readonly AnswerSeries[],
): readonly string[] {
  const counts = new Map(series.map(({ tags, values }) => [tags?.['b'], Number(values[0]?.[1])]));
  return wanted.flatMap((batch) => {
    const found = counts.get(String(batch.number)) ?? 0;
    if (found === batch.size) return [];
    return [`${found} of ${batch.size} points of ${seriesKey(batch)}`];
  });
}
