// The small HTTP server of a program's status port: /livez, /healthz, /readyz, /status, /metrics and what is registered
// besides, plain or over TLS. On Node's own modules alone, because the agent must start fast and stay small.
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { Address } from '../config/address.js';
import type { Logger } from '../log/logger.js';
import { MIN_TLS_VERSION, type Certificates } from '../security/certificates.js';
import { sendJson, sendProblem, sendText } from './answers.js';
import { listen } from './listen.js';

/** Whether the program is ready, and why not. */
export interface Readiness {
  readonly ready: boolean;
  /** One sentence. */
  readonly detail: string;
}

export type RouteHandler = (
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<void> | void;

export interface StatusServerOptions {
  readonly address: Address;
  /** The key of that address, for the error when its port is taken, e.g. `agent.bind-address`. */
  readonly key: string;
  readonly registry: Registry;
  readonly logger: Logger;
  readonly readiness: () => Readiness;
  /** The object of /status; it is sent as it is. */
  readonly status: () => unknown;
  /** https with these; with an authority clients are asked for a certificate, and may go without. Absent: http. */
  readonly tls?: Certificates | undefined;
  /** Who may read /status and the reason in /readyz, which name objects; everybody where absent. */
  readonly isTrusted?: (request: IncomingMessage) => boolean;
  /** Beyond, new connections are closed at once; no limit where absent. */
  readonly maxConnections?: number;
  /** Within this time the head of a request must be here, in ms; 10 s where absent. */
  readonly headWithinMs?: number;
}

export interface StatusServer {
  /** Adds a route; exact path, decoded, without the query. Before or after `listen`. */
  route(method: string, path: string, handler: RouteHandler): void;
  /** Hands over everything whose path begins so, e.g. `/peer/`. */
  routeBelow(prefix: string, handler: RouteHandler): void;
  /** For new connections from now on. Throws where TLS can't use them. Without effect on a plain server. */
  setCertificates(certificates: Certificates): void;
  /** Resolves to the address that was bound. Throws AppError `address-in-use`, or `config-invalid` for one that is not ours. */
  listen(): Promise<Address>;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

/** Clients that are slower than this with their head or their whole request hold a connection for nothing. */
const HEAD_WITHIN_MS = 10_000;
const REQUEST_WITHIN_MS = 30_000;
/** A connection on which nothing moves for so long: nobody takes the answer. */
const SILENCE_MS = 60_000;
const LOOK_FOR_SLOW_MS = 1_000;
/** Several times what any client of ours sends. */
const MAX_HEAD_BYTES = 16 * 1_024;

function limitsOf({ headWithinMs = HEAD_WITHIN_MS }: StatusServerOptions): ServerOptions {
  return {
    headersTimeout: headWithinMs,
    requestTimeout: REQUEST_WITHIN_MS,
    connectionsCheckingInterval: LOOK_FOR_SLOW_MS,
    maxHeaderSize: MAX_HEAD_BYTES,
  };
}

interface Routes {
  readonly exact: Map<string, RouteHandler>;
  readonly below: Map<string, RouteHandler>;
}

export function createStatusServer(options: StatusServerOptions): StatusServer {
  const routes: Routes = { exact: new Map(), below: new Map() };
  const route: StatusServer['route'] = (method, path, handler) => {
    routes.exact.set(`${method} ${path}`, handler);
  };
  addStandardRoutes(route, options);
  const server = createPlainOrTls(options, (request, response) => {
    void answer(routes, options.logger, request, response);
  });
  server.timeout = SILENCE_MS;
  if (options.maxConnections !== undefined) server.maxConnections = options.maxConnections;
  return {
    route,
    routeBelow: (prefix, handler) => void routes.below.set(prefix, handler),
    setCertificates: (certificates) => {
      if ('setSecureContext' in server) server.setSecureContext(contextOf(certificates));
    },
    async listen() {
      await listen(server, options.address, options.key);
      return { host: options.address.host, port: boundPort(server) };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function createPlainOrTls(
  options: StatusServerOptions,
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
): Server | TlsServer {
  const { tls } = options;
  const limits = limitsOf(options);
  if (tls === undefined) return createServer(limits, onRequest);
  // Probes of a kubelet have no certificate: what needs one looks whether the connection has it.
  const clients = { requestCert: tls.ca !== undefined, rejectUnauthorized: false };
  return createTlsServer({ ...limits, ...contextOf(tls), ...clients }, onRequest);
}

function contextOf({ cert, key, ca }: Certificates) {
  return { cert, key, ca, minVersion: MIN_TLS_VERSION } as const;
}

function addStandardRoutes(route: StatusServer['route'], options: StatusServerOptions): void {
  const alive: RouteHandler = (_request, response) => {
    sendJson(response, 200, { status: 'ok' });
  };
  route('GET', '/livez', alive);
  route('GET', '/healthz', alive);
  const isTrusted = options.isTrusted ?? (() => true);
  route('GET', '/readyz', (request, response) => {
    const { ready, detail } = options.readiness();
    sendJson(response, ready ? 200 : 503, isTrusted(request) ? { ready, detail } : { ready });
  });
  route('GET', '/status', (request, response) => {
    if (isTrusted(request)) {
      sendJson(response, 200, options.status());
      return;
    }
    const detail = '/status names objects, so it is given to programs on the same machine alone';
    sendProblem(response, { status: 403, code: 'forbidden', title: 'Forbidden', detail });
  });
  route('GET', '/metrics', async (_request, response) => {
    sendText(response, 200, await options.registry.metrics(), options.registry.contentType);
  });
}

/** Finds the route and runs it; never rejects. */
async function answer(
  routes: Routes,
  logger: Logger,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const handler = handlerOf(routes, method, path);
  if (handler === undefined) {
    const detail = `${method} ${path} is not served here; see /status, /readyz, /livez and /metrics`;
    sendProblem(response, { status: 404, code: 'route-not-found', title: 'Not found', detail });
    return;
  }
  try {
    await handler(request, response);
  } catch (error) {
    const err = error instanceof Error ? error : new Error(String(error));
    logger.error('answering a request failed', { op: `${method} ${path}`, err });
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const detail = 'answering this request failed; the log of the program says why';
    sendProblem(response, { status: 500, code: 'internal', title: 'Internal error', detail });
  }
}

function handlerOf({ exact, below }: Routes, method: string, path: string) {
  const prefix = [...below.keys()].find((each) => path.startsWith(each));
  return exact.get(`${method} ${path}`) ?? (prefix === undefined ? undefined : below.get(prefix));
}

function boundPort(server: Server): number {
  return (server.address() as AddressInfo).port;
}
