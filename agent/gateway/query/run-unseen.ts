// Asynchronous queries (`async=true`): run after their answer was sent. What becomes of them only the log tells, as in influxd.
import type { Statement } from '../../../shared/influx/influxql/statement.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { QueryMetrics } from './metrics.js';
import type { StatementExecutor } from './run-statement.js';
import type { Outcome, Work } from './work.js';

/** Of an answer, enough to see an error in it. */
const HEAD_BYTES = 400;

export interface UnseenDeps {
  readonly executor: StatementExecutor;
  readonly metrics: QueryMetrics;
  readonly logger: Logger;
}

/** One after the other, up to the first that fails. Never rejects. */
export async function runUnseen(
  statements: readonly Statement[],
  work: Work,
  { executor, metrics, logger }: UnseenDeps,
): Promise<void> {
  try {
    for (const statement of statements) {
      const error = await errorOf(await executor.run(statement, work));
      metrics.note(statement.kind, error === undefined ? 'ok' : 'error');
      if (error === undefined) continue;
      logger.warn('an asynchronous query failed', { reason: error });
      return;
    }
  } catch (error) {
    // Nobody waits for it: the log is all there is.
    const err = error instanceof Error ? error : new Error(String(error));
    logger.warn('an asynchronous query failed', { err });
  }
}

async function errorOf(outcome: Outcome): Promise<string | undefined> {
  if (outcome.kind === 'refused') return outcome.error;
  if (outcome.kind === 'result') return outcome.result.error;
  let head = '';
  // Read to the end: the statement has run when its answer was read.
  for await (const chunk of outcome.body)
    if (head === '') head = chunk.toString('utf8', 0, HEAD_BYTES);
  return /^\{\s*"results":\s*\[\s*\{\s*"statement_id":\s*0,\s*"error":\s*(".*)/s.exec(head)?.[1];
}
