// The gateway: what InfluxDB clients of the cluster talk to. An HTTP server with influxd's routes and headers; the answers of
// /write and /query come from their handlers. It serves nothing of /debug, and creates nothing.
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Address } from '../../shared/config/address.js';
import type { GatewayConfig } from '../../shared/config/config.js';
import { AppError, isAbort } from '../../shared/errors/app-error.js';
import { listen } from '../../shared/http/listen.js';
import type { Logger } from '../../shared/log/logger.js';
import { MIN_TLS_VERSION, type Certificates } from '../../shared/security/certificates.js';
import { errorOfAny, sendError } from './errors.js';
import { assertMayServe } from './exposure.js';
import {
  sendHealth,
  sendNotFound,
  sendOptions,
  sendPing,
  sendWrongMethod,
} from './plain-answers.js';
import type { GatewayHandler, RequestContext } from './port.js';

/** What is known of the local influxd, by the last look at it. */
export interface LocalInfluxd {
  /** Of its last answer; undefined before the first. */
  readonly version: string | undefined;
  readonly answers: boolean;
}

export interface GatewayDeps {
  readonly config: Pick<GatewayConfig, 'bindAddress' | 'insecure' | 'maxConnections'>;
  /** https with these. */
  readonly tls?: Certificates | undefined;
  /** Whether clients have to log in, as far as it is known now. */
  readonly isAuthOn: () => boolean;
  readonly influxd: () => LocalInfluxd;
  /** /write and /api/v2/write. */
  readonly write: GatewayHandler;
  readonly query: GatewayHandler;
  readonly logger: Logger;
}

export interface Gateway {
  /** Throws AppError `address-in-use`, or `config-invalid` for an address that is not ours or must not be served. */
  listen(): Promise<Address>;
  /** New connections get these. Throws where TLS can't use them; without effect on a plain server. */
  setCertificates(certificates: Certificates): void;
  /** Takes no more requests, lets those under way end for a moment, then ends all connections. */
  close(): Promise<void>;
}

/** Clients that are slower than this with the head of a request hold a connection for nothing. */
const HEAD_WITHIN_MS = 10_000;
/** With the whole request: 25 MB at 3 Mbit/s. What a slow client has sent is held in memory all the while. */
const REQUEST_WITHIN_MS = 60_000;
const LOOK_FOR_SLOW_MS = 1_000;
/** Clients and their pools keep connections for half a minute as a rule; influxd itself never ends one. */
const KEEP_ALIVE_MS = 120_000;
/** Queries come in the URL, and are long; the limit of Go's server. */
const MAX_HEAD_BYTES = 1024 * 1024;
/** What is under way when the gateway stops has this long to end: the run group waits two seconds. */
const DRAIN_MS = 1_000;

/** One for all: an error of its own for each request would cost more than the rest of its bookkeeping. */
const GONE = new AppError(
  'aborted',
  'answering a request: the client went away, or the gateway stops',
);

const LIMITS: ServerOptions = {
  headersTimeout: HEAD_WITHIN_MS,
  requestTimeout: REQUEST_WITHIN_MS,
  connectionsCheckingInterval: LOOK_FOR_SLOW_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  maxHeaderSize: MAX_HEAD_BYTES,
};

export function createGateway(deps: GatewayDeps): Gateway {
  return new NodeGateway(deps);
}

class NodeGateway implements Gateway {
  private readonly server: Server | TlsServer;
  private readonly stopped = new AbortController();
  /** The last request of each connection: pipelined ones are answered, and applied, one after the other. */
  private readonly last = new WeakMap<Socket, Promise<void>>();
  private readonly underWay = new Set<Promise<void>>();
  private readonly responses = new Set<ServerResponse>();
  /** Requests whose clients wait to be told to send the body. */
  private readonly asking = new WeakSet<IncomingMessage>();

  constructor(private readonly deps: GatewayDeps) {
    // One for each request under way, removed at its end.
    setMaxListeners(0, this.stopped.signal);
    const onRequest = (request: IncomingMessage, response: ServerResponse) => {
      this.take(request, response);
    };
    const { tls } = deps;
    this.server =
      tls === undefined
        ? createServer(LIMITS, onRequest)
        : createTlsServer({ ...LIMITS, ...contextOf(tls) }, onRequest);
    // Who asks whether to send a body is answered before it is sent: a refused write costs nothing.
    this.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      this.asking.add(request);
      this.take(request, response);
    });
    this.server.maxConnections = deps.config.maxConnections;
  }

  async listen(): Promise<Address> {
    const { bindAddress } = this.deps.config;
    assertMayServe(this.deps.config, this.deps.isAuthOn());
    await listen(this.server, bindAddress, 'gateway.bind-address');
    return { host: bindAddress.host, port: (this.server.address() as AddressInfo).port };
  }

  setCertificates(certificates: Certificates): void {
    if ('setSecureContext' in this.server) this.server.setSecureContext(contextOf(certificates));
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.server.close(() => {
        resolve();
      });
    });
    this.server.closeIdleConnections();
    for (const response of this.responses) {
      if (!response.headersSent) response.setHeader('Connection', 'close');
    }
    const limit = setTimeout(() => {
      this.stopped.abort();
      this.server.closeAllConnections();
    }, DRAIN_MS);
    await Promise.allSettled(this.underWay);
    clearTimeout(limit);
    this.stopped.abort();
    // What was answered is in the sockets' buffers already.
    setImmediate(() => {
      this.server.closeAllConnections();
    });
    await closed;
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    const before = this.last.get(request.socket);
    const work = (before ?? Promise.resolve()).then(() => this.answer(request, response));
    this.last.set(request.socket, work);
    this.underWay.add(work);
    this.responses.add(response);
    void work.finally(() => {
      this.underWay.delete(work);
      this.responses.delete(response);
    });
  }

  /** Never rejects. */
  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    const end = () => {
      gone.abort(GONE);
    };
    response.once('close', end);
    if (response.destroyed) end();
    this.stopped.signal.addEventListener('abort', end, { once: true });
    const requestId = this.setHeaders(request, response);
    try {
      const url = request.url ?? '/';
      const mark = url.indexOf('?');
      const path = mark < 0 ? url : url.slice(0, mark);
      await this.route(path, request, response, {
        query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
        requestId,
        signal: gone.signal,
        stopped: this.stopped.signal,
        wantBody: () => {
          if (this.asking.delete(request)) response.writeContinue();
        },
      });
    } catch (error) {
      this.fail(request, response, error);
    } finally {
      response.off('close', end);
      this.stopped.signal.removeEventListener('abort', end);
    }
  }

  /** As influxd: its version and build, and the request's id under both of its names. */
  private setHeaders({ headers }: IncomingMessage, response: ServerResponse): string {
    const said = headers['x-request-id'] ?? headers['request-id'];
    const requestId = typeof said === 'string' && said !== '' ? said : randomUUID();
    response.setHeader('Request-Id', requestId);
    response.setHeader('X-Request-Id', requestId);
    response.setHeader('X-Influxdb-Build', 'OSS');
    response.setHeader('X-Influxdb-Version', this.deps.influxd().version ?? 'unknown');
    if (this.stopped.signal.aborted) response.setHeader('Connection', 'close');
    return requestId;
  }

  private async route(
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
    context: RequestContext,
  ): Promise<void> {
    const allowed = METHODS[path];
    if (allowed === undefined) {
      sendNotFound(response);
      return;
    }
    const { method = '' } = request;
    if (!allowed.includes(method)) {
      sendWrongMethod(response, allowed);
      return;
    }
    if (method === 'OPTIONS') {
      sendOptions(response);
      return;
    }
    if (path === '/ping' || path === '/status') {
      sendPing(response, context.query);
      return;
    }
    if (path === '/health') {
      sendHealth(response, this.deps.influxd());
      return;
    }
    assertMayServe(this.deps.config, this.deps.isAuthOn());
    if (path === '/query') {
      context.wantBody?.();
      await this.deps.query.handle(request, response, context);
    } else await this.deps.write.handle(request, response, context);
  }

  private fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    // Nobody is there any more who could be told.
    if (response.destroyed || (isAbort(error) && request.destroyed)) return;
    const fault = errorOfAny(error);
    if (fault.code === 'internal') {
      const err = error instanceof Error ? error : new Error(String(error));
      const op = `${request.method ?? ''} ${(request.url ?? '/').split('?')[0] ?? ''}`;
      this.deps.logger.error('answering a request failed', { op, err });
    }
    // Half an answer can't be taken back: the client sees it break off.
    if (response.headersSent) response.destroy();
    else sendError(request, response, fault);
  }
}

/** Which methods influxd takes, in the order in which it names them. */
const METHODS: Readonly<Record<string, readonly string[]>> = Object.assign(
  Object.create(null) as object,
  {
    '/write': ['OPTIONS', 'POST'],
    '/api/v2/write': ['OPTIONS', 'POST'],
    '/query': ['OPTIONS', 'GET', 'POST'],
    '/ping': ['GET', 'HEAD'],
    '/status': ['GET', 'HEAD'],
    '/health': ['GET', 'HEAD'],
  },
);

function contextOf({ cert, key }: Certificates) {
  return { cert, key, minVersion: MIN_TLS_VERSION } as const;
}
