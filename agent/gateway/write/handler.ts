// Answers /write and /api/v2/write: who asks, what for, the body within its limits, and then the cluster's writer. The order
// of the checks is influxd's, because clients see which comes first.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import { authorizeWrite } from '../auth/authorize.js';
import type { GatewayAuth } from '../auth/port.js';
import type { GatewayError } from '../errors.js';
import { sendError } from '../errors.js';
import type { MetadataView } from '../metadata/port.js';
import type { GatewayHandler, RequestContext } from '../port.js';
import type { Admission } from './admission.js';
import { readWriteBody } from './body.js';
import type { ClusterWriter, WriteResult } from './cluster-writer.js';
import type { WriteParameters } from './parameters.js';
import { v2WriteParameters, writeParameters } from './parameters.js';
import { databaseNotFound } from './verdict.js';
import type { WriteMetrics } from './write-metrics.js';

export interface WriteHandlerDeps {
  readonly auth: GatewayAuth;
  readonly metadata: MetadataView;
  readonly writer: Pick<ClusterWriter, 'write'>;
  readonly admission: Admission;
  readonly maxBodyBytes: number;
  readonly metrics: WriteMetrics;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

export const APPLIED_HEADER = 'X-Clusterflux-Applied';
export const HINTED_HEADER = 'X-Clusterflux-Hinted';
export const LEVEL_HEADER = 'X-Clusterflux-Level';

export class ClusterWriteHandler implements GatewayHandler {
  constructor(private readonly deps: WriteHandlerDeps) {}

  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    context: RequestContext,
  ): Promise<void> {
    const since = this.deps.clock.monotonicMs();
    const result = await this.answer(request, context);
    if (result === undefined) return;
    const { fault, level, points } = result;
    const ms = this.deps.clock.monotonicMs() - since;
    this.deps.metrics.noteWrite(fault?.code ?? 'written', level ?? 'none', points, ms);
    if (response.destroyed) return;
    setHeaders(response, result);
    if (fault === undefined) {
      response.setHeader('Content-Type', 'application/json');
      response.writeHead(204).end();
      return;
    }
    // A body that is larger than any that is taken is not read to its end, and one that was asked for may never come.
    const isAsking = request.headers.expect !== undefined;
    if (!request.complete && (fault.status === 413 || isAsking))
      response.setHeader('Connection', 'close');
    sendError(request, response, fault);
  }

  /** Undefined where the client went away before its body was there. */
  private async answer(
    request: IncomingMessage,
    context: RequestContext,
  ): Promise<WriteResult | undefined> {
    const admitted = await this.admit(request, context);
    if ('fault' in admitted) return refused(admitted.fault);
    const { admission, maxBodyBytes, writer } = this.deps;
    const read = await readWriteBody(request, admission, { maxBodyBytes }, () => {
      context.wantBody?.();
    });
    if (read.kind === 'gone') return undefined;
    if (read.kind === 'refused') return refused(read.fault);
    const { body, claim } = read;
    // Its own signal, because the shared one lives long and would gather what is derived from it.
    const stop = new AbortController();
    const onStop = () => {
      stop.abort();
    };
    context.stopped.addEventListener('abort', onStop, { once: true });
    const release = () => {
      context.stopped.removeEventListener('abort', onStop);
      claim.release();
    };
    const since = this.deps.clock.monotonicMs();
    try {
      // Also where the client goes away meanwhile: half of the owners may have it already.
      const result = await writer.write({ ...admitted, body }, stop.signal);
      claim.answered(this.deps.clock.monotonicMs() - since);
      void result.released.then(release);
      return result;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** What can be judged before the body is read. */
  private async admit(
    request: IncomingMessage,
    { query, signal }: RequestContext,
  ): Promise<WriteParameters | { readonly fault: GatewayError }> {
    const { auth, metadata } = this.deps;
    const who = await auth.authenticate(request, query, signal);
    if (who.kind === 'refused') {
      return { fault: { status: who.status, code: 'unauthorized', error: who.error } };
    }
    if (who.kind === 'limited') return { fault: limited(who.retryAfterSeconds) };
    const isV2 = (request.url ?? '').startsWith('/api/v2/');
    const parameters = isV2 ? v2WriteParameters(query) : writeParameters(query);
    if ('fault' in parameters) return parameters;
    const { database } = parameters;
    if (!metadata.current.databases.has(database)) await metadata.refresh?.(signal);
    if (!metadata.current.databases.has(database)) {
      return { fault: metadata.isKnown === false ? NOT_KNOWN_YET : databaseNotFound(database) };
    }
    const error = authorizeWrite(who, database);
    if (error === undefined) return parameters;
    return { fault: { status: 403, code: 'forbidden', error } };
  }
}

/** What does not exist can't be said before this node has heard of its cluster: a client would throw its points away. */
const NOT_KNOWN_YET: GatewayError = {
  status: 503,
  code: 'metadata-unknown',
  error:
    'this agent has not heard of its cluster yet, so it knows no databases; send it again in a moment',
  isSafeToRetry: true,
  retryAfterSeconds: 1,
};

function limited(retryAfterSeconds: number): GatewayError {
  return {
    status: 429,
    code: 'rate-limited',
    error: 'too many wrong passwords for this user from this address; try again later',
    isSafeToRetry: true,
    retryAfterSeconds,
  };
}

function refused(fault: GatewayError): WriteResult {
  return { fault, level: undefined, spread: undefined, points: 0, released: Promise.resolve() };
}

function setHeaders(response: ServerResponse, { spread, level }: WriteResult): void {
  if (level !== undefined) response.setHeader(LEVEL_HEADER, level);
  if (spread === undefined) return;
  response.setHeader(APPLIED_HEADER, spread.applied);
  response.setHeader(HINTED_HEADER, spread.hinted);
}
