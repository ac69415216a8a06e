// The socket in the state directory through which commands of this machine reach the running agent. Its user alone may
// open it: it hands out metadata with password hashes and makes the agent act.
import { rm } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { z } from 'zod';
import { AppError, isAppError, messageOf } from '../../shared/errors/app-error.js';
import { sendJson, sendProblem } from '../../shared/http/answers.js';
import type { Logger } from '../../shared/log/logger.js';
import { requestFromWire, restartRequestSchema } from '../restart/restart-wire.js';
import type { RestartAnswer, RestartRequest } from '../restart/restarts.js';
import type { TickMode, TickReport } from '../sync/port.js';
import type { StatusBody } from './agent-status.js';
import { modeFromWire, reportToWire, syncRequestSchema } from './control-wire.js';

export interface ControlServerDeps {
  /** `<state-dir>/agent.sock`; what a killed agent left there is replaced, because this process holds the directory. */
  readonly path: string;
  readonly logger: Logger;
  readonly sync: (mode: TickMode, signal: AbortSignal) => Promise<TickReport>;
  /** Restarts influxd now, for what waits for that. */
  readonly restart: (request: RestartRequest, signal: AbortSignal) => Promise<RestartAnswer>;
  readonly status: () => StatusBody;
  /** The local influxd's metadata as it is in memory now, as bytes of a meta.Data message. */
  readonly metadata: (signal: AbortSignal) => Promise<Uint8Array>;
  /** Answers `/handoff` and what is below; absent where the agent keeps no hints. */
  readonly handoff?:
    | ((request: IncomingMessage, response: ServerResponse, signal: AbortSignal) => Promise<void>)
    | undefined;
}

/** Requests are a few words. */
const MAX_BODY_BYTES = 64 * 1024;

/** sockaddr_un has 108 bytes with the final zero; node fails with a bare EINVAL beyond. */
const MAX_PATH_BYTES = 107;

export class ControlServer {
  readonly name = 'control-socket';
  readonly phase = 'ingress';
  private readonly stopping = new AbortController();
  private server: Server | undefined;

  constructor(private readonly deps: ControlServerDeps) {}

  /** Resolves once it listens; a path that no socket can have is a warning, because the agent can do without. */
  async start(): Promise<void> {
    const { path, logger } = this.deps;
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
      logger.warn('local commands can not reach this agent: the path of its socket is too long', {
        path,
        limit: MAX_PATH_BYTES,
      });
      return;
    }
    await rm(path, { force: true });
    this.server = createServer((request, response) => void this.answer(request, response));
    await listenPrivately(this.server, path);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    const server = this.server;
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
    });
  }

  /** Never rejects. */
  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.route(request, response);
    } catch (error) {
      if (response.headersSent || response.destroyed) {
        response.destroy();
        return;
      }
      const code = isAppError(error) ? error.code : 'internal';
      const status = isAppError(error) ? error.status : 500;
      sendProblem(response, { status, code, title: 'Failed', detail: messageOf(error) });
    }
  }

  private async route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { signal } = this.stopping;
    const route = `${request.method ?? ''} ${request.url ?? ''}`;
    if (this.deps.handoff !== undefined && /^\/handoff(?=[/?]|$)/.test(request.url ?? '')) {
      await this.deps.handoff(request, response, signal);
      return;
    }
    switch (route) {
      case 'POST /sync': {
        const mode = modeFromWire(await readRequest(request, syncRequestSchema));
        sendJson(response, 200, reportToWire(await this.deps.sync(mode, signal)));
        return;
      }
      case 'POST /restart': {
        const asked = requestFromWire(await readRequest(request, restartRequestSchema));
        sendJson(response, 200, await this.deps.restart(asked, signal));
        return;
      }
      case 'GET /status':
        sendJson(response, 200, this.deps.status());
        return;
      case 'GET /metadata': {
        const bytes = await this.deps.metadata(signal);
        response.writeHead(200, {
          'content-type': 'application/x-protobuf',
          'content-length': bytes.length,
        });
        response.end(bytes);
        return;
      }
      default:
        throw new AppError('route-not-found', `the agent's socket does not serve ${route}`, {
          status: 404,
        });
    }
  }
}

/** Binding happens within `listen`, in the same turn, so the mask for it is nobody else's. */
function listenPrivately(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const reason = `listening on the socket ${path} failed: ${error.message}`;
      reject(
        new AppError('state-unwritable', `${reason}; check the permissions of --state-dir`, {
          cause: error,
        }),
      );
    });
    const mask = process.umask(0o177);
    try {
      server.listen(path, resolve);
    } finally {
      process.umask(mask);
    }
  });
}

async function readRequest<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw invalidBody(`it is longer than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  const parsed = schema.safeParse(parseJson(Buffer.concat(chunks).toString() || '{}'));
  if (parsed.success) return parsed.data;
  throw invalidBody(parsed.error.issues.map(({ message }) => message).join('; '));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidBody(messageOf(error));
  }
}

function invalidBody(reason: string): AppError {
  return new AppError('body-invalid', `the body of the request is not what it must be: ${reason}`, {
    status: 400,
  });
}
