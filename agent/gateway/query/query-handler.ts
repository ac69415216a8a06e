// /query: who asks, what is asked, may they, then statement by statement into one answer. Nothing is run before every statement
// is allowed, and nothing is held whole in memory.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isAbort, messageOf } from '../../../shared/errors/app-error.js';
import { parseQuery } from '../../../shared/influx/influxql/parse.js';
import type { Statement } from '../../../shared/influx/influxql/statement.js';
import { authorize, type Admitted } from '../auth/authorize.js';
import { sendError, type GatewayError } from '../errors.js';
import type { GatewayHandler, RequestContext } from '../port.js';
import type { AnswerHead } from './answer.js';
import { runUnseen } from './run-unseen.js';
import { Exchange } from './exchange.js';
import { Merger } from './merge.js';
import { createQueryMetrics, type QueryMetrics } from './metrics.js';
import type { OpenedRead } from './open-read.js';
import { boundParams, readParameters } from './parameters.js';
import { CONTENT_TYPES, type QueryDeps, type QueryRequest } from './port.js';
import { NOT_EXECUTED } from './results.js';
import { StatementExecutor, type Outcome, type Work } from './run-statement.js';
import { readSmall } from './small-read.js';
import { refuseUnparsable } from './unparsable.js';

const NS_PER_MS = 1_000_000n;

export class QueryHandler implements GatewayHandler {
  private readonly executor: StatementExecutor;
  private readonly metrics: QueryMetrics;

  constructor(private readonly deps: QueryDeps) {
    this.executor = new StatementExecutor(deps);
    this.metrics = createQueryMetrics(deps.registry);
  }

  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    context: RequestContext,
  ): Promise<void> {
    const refuse = (fault: GatewayError) => {
      this.metrics.note('none', 'refused');
      request.resume();
      sendError(request, response, fault);
    };
    const who = await this.deps.auth.authenticate(request, context.query, context.signal);
    if (who.kind === 'refused') {
      refuse({ status: who.status, error: who.error, code: 'unauthorized' });
      return;
    }
    if (who.kind === 'limited') {
      refuse(tooOften(who.retryAfterSeconds));
      return;
    }
    const query = await readParameters(request, context.query);
    if (query === undefined) {
      refuse(badRequest('missing required parameter "q"'));
      return;
    }
    const fault = await this.answer(query, who, new Exchange(request, response, context, query));
    if (fault !== undefined) sendError(request, response, fault);
  }

  /** What keeps the request from being answered; undefined: it was, or there is nobody left to be answered. */
  private async answer(
    request: QueryRequest,
    who: Admitted,
    exchange: Exchange,
  ): Promise<GatewayError | undefined> {
    const { signal } = exchange;
    const { executor, metrics } = this;
    const metadata = this.deps.metadata.current;
    const work: Work = { request, caller: who.caller, metadata, signal };
    const params = request.params === undefined ? {} : boundParams(request.params);
    const parsed =
      params === undefined
        ? ({ kind: 'unparsable', why: 'its parameters are no JSON object' } as const)
        : parseQuery(request.text, params, BigInt(Date.now()) * NS_PER_MS);
    if (parsed.kind === 'unparsable') {
      const outcome = await refuseUnparsable(request.text, parsed, executor, work);
      return this.single('none', outcome, exchange);
    }
    const { statements } = parsed;
    const { database } = request;
    const forbidden = authorize(statements, who, { database, hasUsers: metadata.users.size > 0 });
    if (forbidden !== undefined) {
      this.metrics.note('none', 'refused');
      return { status: 403, error: forbidden, code: 'forbidden' };
    }
    if (request.isAsync) {
      exchange.accept();
      const unseen = { ...work, signal: exchange.context.stopped };
      void runUnseen(statements, unseen, { ...this.deps, executor, metrics });
      return undefined;
    }
    return this.run(statements, work, exchange);
  }

  private async run(
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
      return await this.single(first.kind, await this.executor.run(first, work), exchange);
    } catch (error) {
      this.failed(error, first?.kind ?? 'none', exchange);
      return undefined;
    } finally {
      const { firstByteMs } = exchange.answer;
      if (firstByteMs !== undefined) this.metrics.noteFirstByte(firstByteMs - exchange.startMs);
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
  private async single(
    kind: string,
    outcome: Outcome,
    exchange: Exchange,
  ): Promise<GatewayError | undefined> {
    const { answer, request } = exchange;
    if (outcome.kind === 'refused') {
      this.metrics.note(kind, 'refused');
      return outcome;
    }
    exchange.tell(outcome);
    if (outcome.kind === 'result') {
      answer.setHead({ status: 200, contentType: CONTENT_TYPES[request.form.format] });
      const merger = new Merger(answer, request.form, 1);
      await merger.result(0, outcome.result);
      await merger.end();
      this.metrics.note(kind, outcome.result.error === undefined ? 'ok' : 'error');
    } else {
      answer.setHead(headOf(outcome));
      if (outcome.status !== 200) exchange.tellRefusal();
      for await (const chunk of outcome.body) await answer.write(chunk);
      this.metrics.note(kind, outcome.status === 200 ? 'ok' : 'error');
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
      const outcome = await this.executor.run(statement, work);
      // Nothing was run yet, so the whole request can be refused.
      if (outcome.kind === 'refused' && id === 0) {
        this.metrics.note(statement.kind, 'refused');
        return outcome;
      }
      const isLast = id === statements.length - 1;
      isStopped = await this.merge(id, statement, outcome, { merger, exchange, work, isLast });
      this.metrics.note(statement.kind, isStopped ? 'error' : 'ok');
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
    const outcome = await this.executor.run(statement, asJson);
    if (outcome.kind !== 'opened') return outcome.kind === 'refused';
    return (await readSmall(outcome)).error !== undefined;
  }

  private failed(error: unknown, kind: string, { answer, signal }: Exchange): void {
    if (signal.aborted || isAbort(error)) {
      this.metrics.note(kind, 'gone');
      answer.break();
      return;
    }
    this.metrics.note(kind, 'broken');
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

function badRequest(error: string): GatewayError {
  return { status: 400, error, code: 'bad-request' };
}

function tooOften(retryAfterSeconds: number): GatewayError {
  return {
    status: 429,
    error: 'too many wrong passwords for this user; try again later',
    code: 'rate-limited',
    isSafeToRetry: true,
    retryAfterSeconds,
  };
}
