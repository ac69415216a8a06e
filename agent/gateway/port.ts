// What the gateway's server hands to those that answer: one request with what is known about it.
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface RequestContext {
  /** Of the URL; a repeated name counts by its first value, as in influxd. */
  readonly query: URLSearchParams;
  /** The client's own where it sent one. Already in the answer's headers. */
  readonly requestId: string;
  /** Aborted where the client is gone, or the gateway stops. */
  readonly signal: AbortSignal;
  /** Aborted only where the gateway stops: for work that is finished also where nobody waits for its answer. */
  readonly stopped: AbortSignal;
  /** To be called before the body of a write is read: a client that asks first (Expect: 100-continue) is told to send it. */
  wantBody?(): void;
}

/** Answers one kind of requests. What it throws is rendered by the server (see errors.ts). */
export interface GatewayHandler {
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    context: RequestContext,
  ): Promise<void>;
}

export type QueryHandler = GatewayHandler;
export type WriteHandler = GatewayHandler;
