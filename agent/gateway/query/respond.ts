// Statements one after the other into one answer to the client: one statement's answer is passed on as it is, several are put
// together. Nothing is held whole in memory; whether they may be run was judged before.
import { isAbort, messageOf } from '../../../shared/errors/app-error.js';
import type { Statement } from '../../../shared/influx/influxql/statement.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { GatewayError } from '../errors.js';
import type { AnswerHead } from './answer.js';
import type { Exchange } from './exchange.js';
import { Merger } from './merge.js';
import type { QueryMetrics } from './metrics.js';
import type { OpenedRead } from './open-read.js';
import { CONTENT_TYPES } from './port.js';
import { NOT_EXECUTED } from './results.js';
import type { StatementExecutor } from './run-statement.js';
import { readSmall } from './small-read.js';
import type { Outcome, Work } from './work.js';

export interface ResponderDeps {
  readonly executor: Pick<StatementExecutor, 'run'>;
  readonly metrics: QueryMetrics;
  readonly logger: Logger;
}

export class Responder {
  constructor(private readonly deps: ResponderDeps) {}

  /** What keeps the request from being answered; undefined: it was, or there is nobody left to be answered. */
  async run(
    statements: readonly Statement[],
    work: Work,
    exchange: Exchange,
  ): Promise<GatewayError | undefined> {
    const [first] = statements;
    try {
      if (first === undefined) {
        await this.nothing(exchange);
        return undefined;
      }
      if (statements.length > 1) return await this.several(statements, work, exchange);
      return await this.single(first.kind, await this.deps.executor.run(first, work), exchange);
    } catch (error) {
      this.failed(error, first?.kind ?? 'none', exchange);
      return undefined;
    } finally {
      const { firstByteMs } = exchange.answer;
      if (firstByteMs !== undefined)
        this.deps.metrics.noteFirstByte(firstByteMs - exchange.startMs);
    }
  }

  /** Only blanks, comments and semicolons. */
  private async nothing({ answer, request: { form } }: Exchange): Promise<void> {
    answer.setHead({ status: 200, contentType: CONTENT_TYPES[form.format] });
    const merger = new Merger(answer, form, 0);
    await merger.end();
    await answer.end();
  }

  /** The answer to one statement is passed on as it is. */
  async single(
    kind: string,
    outcome: Outcome,
    exchange: Exchange,
  ): Promise<GatewayError | undefined> {
    const { answer, request } = exchange;
    if (outcome.kind === 'refused') {
      this.deps.metrics.note(kind, 'refused');
      return outcome;
    }
    exchange.tell(outcome);
    if (outcome.kind === 'result') {
      answer.setHead({ status: 200, contentType: CONTENT_TYPES[request.form.format] });
      const merger = new Merger(answer, request.form, 1);
      await merger.result(0, outcome.result);
      await merger.end();
      this.deps.metrics.note(kind, outcome.result.error === undefined ? 'ok' : 'error');
    } else {
      answer.setHead(headOf(outcome));
      if (outcome.status !== 200) exchange.tellRefusal();
      for await (const chunk of outcome.body) await answer.write(chunk);
      this.deps.metrics.note(kind, outcome.status === 200 ? 'ok' : 'error');
    }
    await answer.end();
    return undefined;
  }

  private async several(
    statements: readonly Statement[],
    work: Work,
    exchange: Exchange,
  ): Promise<GatewayError | undefined> {
    const { answer, request } = exchange;
    answer.setHead({ status: 200, contentType: CONTENT_TYPES[request.form.format] });
    const merger = new Merger(answer, request.form, statements.length);
    let isStopped = false;
    for (const [id, statement] of statements.entries()) {
      if (isStopped) {
        await merger.result(id, { error: NOT_EXECUTED });
        continue;
      }
      const outcome = await this.deps.executor.run(statement, work);
      // Nothing was run yet, so the whole request can be refused.
      if (outcome.kind === 'refused' && id === 0) {
        this.deps.metrics.note(statement.kind, 'refused');
        return outcome;
      }
      const isLast = id === statements.length - 1;
      isStopped = await this.merge(id, statement, outcome, { merger, exchange, work, isLast });
      this.deps.metrics.note(statement.kind, isStopped ? 'error' : 'ok');
    }
    await merger.end();
    await answer.end();
    return undefined;
  }

  /** True where the statement failed: influxd runs none after it. */
  private async merge(
    id: number,
    statement: Statement,
    outcome: Outcome,
    { merger, exchange, work, isLast }: Merging,
  ): Promise<boolean> {
    if (outcome.kind === 'refused') {
      await merger.result(id, { error: outcome.error });
      return true;
    }
    exchange.tell(outcome);
    if (outcome.kind === 'result') {
      await merger.result(id, outcome.result);
      return outcome.result.error !== undefined;
    }
    if (outcome.status !== 200) {
      // The header has the beginning of what the body says.
      const { error = outcome.error } = await readSmall(outcome);
      await merger.result(id, { error: error ?? 'influxd refused the statement' });
      return true;
    }
    const seen = await merger.stream(id, outcome.body);
    // CSV leaves errors out: an answer without a line is looked at once more, as JSON.
    if (work.request.form.format === 'csv' && seen.bytes === 0 && !isLast) {
      return this.hasFailed(statement, work);
    }
    return seen.isError;
  }

  private async hasFailed(statement: Statement, work: Work): Promise<boolean> {
    const { request } = work;
    const form = { ...request.form, format: 'json', isPretty: false, isChunked: false } as const;
    const asJson = { ...work, request: { ...request, accept: undefined, form } };
    const outcome = await this.deps.executor.run(statement, asJson);
    if (outcome.kind !== 'opened') return outcome.kind === 'refused';
    return (await readSmall(outcome)).error !== undefined;
  }

  private failed(error: unknown, kind: string, { answer, signal }: Exchange): void {
    if (signal.aborted || isAbort(error)) {
      this.deps.metrics.note(kind, 'gone');
      answer.break();
      return;
    }
    this.deps.metrics.note(kind, 'broken');
    if (!answer.isCommitted) throw error;
    // Half an answer must not be taken for a whole one.
    this.deps.logger.warn('the answer to a query broke off', { reason: messageOf(error) });
    answer.break();
  }
}

interface Merging {
  readonly merger: Merger;
  readonly exchange: Exchange;
  readonly work: Work;
  readonly isLast: boolean;
}

function headOf({ status, contentType, error }: OpenedRead): AnswerHead {
  return { status, contentType, error };
}
