// One request with its answer: what both of them say in headers.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CODE_HEADER, headerText, RETRY_HEADER } from '../errors.js';
import type { RequestContext } from '../port.js';
import { Answer } from './answer.js';
import { CONTENT_TYPES, type QueryRequest } from './port.js';
import type { Outcome, Propagated } from './work.js';

export const SERVED_BY_HEADER = 'X-Clusterflux-Served-By';
export const COMPLETE_HEADER = 'X-Clusterflux-Complete';
export const MISSING_HEADER = 'X-Clusterflux-Missing';
export const PROPAGATED_HEADER = 'X-Clusterflux-Propagated';

/** One request with its answer. */
export class Exchange {
  readonly answer: Answer;
  readonly startMs = performance.now();
  private propagated: Propagated | undefined;
  private missing: string[] = [];

  constructor(
    incoming: IncomingMessage,
    private readonly response: ServerResponse,
    readonly context: RequestContext,
    readonly request: QueryRequest,
  ) {
    const takesGzip = (incoming.headers['accept-encoding'] ?? '').includes('gzip');
    this.answer = new Answer(response, takesGzip, context.signal);
  }

  get signal(): AbortSignal {
    return this.context.signal;
  }

  /** Puts into the headers what is known of an answer; without effect once they are sent. */
  tell(outcome: Exclude<Outcome, { kind: 'refused' }>): void {
    const { answer } = this;
    if (outcome.node !== undefined) answer.setHeader(SERVED_BY_HEADER, outcome.node.toString());
    if (outcome.missing !== '') this.missing.push(outcome.missing);
    answer.setHeader(COMPLETE_HEADER, this.missing.length === 0 ? 'true' : 'false');
    if (this.missing.length > 0)
      answer.setHeader(MISSING_HEADER, headerText(this.missing.join('; ')));
    if (outcome.kind !== 'result' || outcome.propagated === undefined) return;
    // Of several statements the one that got least far counts.
    const { reached, live } = outcome.propagated;
    const before = this.propagated;
    if (before !== undefined && before.reached - before.live <= reached - live) return;
    this.propagated = outcome.propagated;
    answer.setHeader(PROPAGATED_HEADER, `${reached.toString()}/${live.toString()}`);
  }

  /** The whole answer to a query that is run afterwards. */
  accept(): void {
    const { format } = this.request.form;
    this.response.writeHead(204, { 'Content-Type': CONTENT_TYPES[format] });
    this.response.end();
  }

  /** influxd's own refusal. */
  tellRefusal(): void {
    this.answer.setHeader(CODE_HEADER, 'bad-request');
    this.answer.setHeader(RETRY_HEADER, 'no');
  }
}
