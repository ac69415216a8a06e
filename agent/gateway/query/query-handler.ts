// /query: who asks, what is asked, and may they. Nothing is run before every statement is understood and allowed.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseQuery } from '../../../shared/influx/influxql/parse.js';
import type { Statement } from '../../../shared/influx/influxql/statement.js';
import { withParams } from '../../../shared/influx/influxql/write-params.js';
import { authorize, type Admitted } from '../auth/authorize.js';
import { sendError, type GatewayError } from '../errors.js';
import type { GatewayHandler, RequestContext } from '../port.js';
import { runUnseen } from './run-unseen.js';
import { Exchange } from './exchange.js';
import { createQueryMetrics, type QueryMetrics } from './metrics.js';
import { boundParams } from './bound-params.js';
import { readParameters } from './parameters.js';
import type { QueryDeps, QueryRequest } from './port.js';
import { Responder } from './respond.js';
import { StatementExecutor } from './run-statement.js';
import { refuseUnparsable } from './unparsable.js';
import type { Work } from './work.js';

const NS_PER_MS = 1_000_000n;

export class QueryHandler implements GatewayHandler {
  private readonly executor: StatementExecutor;
  private readonly metrics: QueryMetrics;
  private readonly responder: Responder;

  constructor(private readonly deps: QueryDeps) {
    this.executor = new StatementExecutor(deps);
    this.metrics = createQueryMetrics(deps.registry);
    const { executor, metrics } = this;
    this.responder = new Responder({ executor, metrics, logger: deps.logger });
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
    const params = request.params === undefined ? {} : boundParams(request.params);
    const work: Work = { request, caller: who.caller, metadata, params: params ?? {}, signal };
    const parsed =
      params === undefined
        ? ({ kind: 'unparsable', why: 'its parameters are no JSON object' } as const)
        : parseQuery(request.text, params, BigInt(Date.now()) * NS_PER_MS);
    if (parsed.kind === 'unparsable') {
      const outcome = await refuseUnparsable(request.text, parsed, executor, work);
      return this.responder.single('none', outcome, exchange);
    }
    const { statements } = parsed;
    const { database } = request;
    const hasUsers = metadata.users.size > 0;
    const forbidden = authorize(withValues(statements, work), who, { database, hasUsers });
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
    return this.responder.run(statements, work, exchange);
  }
}

/** As influxd shows them where it refuses. */
function withValues(statements: readonly Statement[], { params }: Work): readonly Statement[] {
  if (Object.keys(params).length === 0) return statements;
  return statements.map((each) => ({ ...each, text: withParams(each.text, params) ?? each.text }));
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
