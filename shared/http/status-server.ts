// The small HTTP server of a program's status port: /livez, /healthz, /readyz, /status, /metrics and what is registered
// besides. On node:http alone, because the agent must start fast and stay small.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { Address } from '../config/address.js';
import type { Logger } from '../log/logger.js';
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
}

export interface StatusServer {
  /** Adds a route; exact path, decoded, without the query. Before or after `listen`. */
  route(method: string, path: string, handler: RouteHandler): void;
  /** Resolves to the address that was bound. Throws AppError `address-in-use`, or `config-invalid` for one that is not ours. */
  listen(): Promise<Address>;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

export function createStatusServer(options: StatusServerOptions): StatusServer {
  const routes = new Map<string, RouteHandler>();
  const route: StatusServer['route'] = (method, path, handler) => {
    routes.set(`${method} ${path}`, handler);
  };
  addStandardRoutes(route, options);
  const server = createServer((request, response) => {
    void answer(routes, options.logger, request, response);
  });
  return {
    route,
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

function addStandardRoutes(route: StatusServer['route'], options: StatusServerOptions): void {
  const alive: RouteHandler = (_request, response) => {
    sendJson(response, 200, { status: 'ok' });
  };
  route('GET', '/livez', alive);
  route('GET', '/healthz', alive);
  route('GET', '/readyz', (_request, response) => {
    const { ready, detail } = options.readiness();
    sendJson(response, ready ? 200 : 503, { ready, detail });
  });
  route('GET', '/status', (_request, response) => {
    sendJson(response, 200, options.status());
  });
  route('GET', '/metrics', async (_request, response) => {
    sendText(response, 200, await options.registry.metrics(), options.registry.contentType);
  });
}

/** Finds the route and runs it; never rejects. */
async function answer(
  routes: ReadonlyMap<string, RouteHandler>,
  logger: Logger,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const handler = routes.get(`${method} ${path}`);
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

function boundPort(server: Server): number {
  return (server.address() as AddressInfo).port;
}
