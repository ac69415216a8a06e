// A small HTTP server for the tests of the client: it answers by a function and keeps what it was asked.
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { freePort } from '../../../support/free-port.js';

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface ScriptedAnswer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

export interface ScriptedServer {
  readonly url: string;
  readonly asked: readonly Asked[];
  /** What it answers from now on; `'hang'`: nothing, `'reset'`: the connection is cut. */
  answer: (asked: Asked) => ScriptedAnswer | 'hang' | 'reset';
  /** Requests that hang right now. */
  readonly hanging: number;
  stop(): Promise<void>;
}

export async function startScriptedServer(
  answer: ScriptedServer['answer'] = () => ({ status: 204 }),
): Promise<ScriptedServer> {
  const asked: Asked[] = [];
  let hanging = 0;
  const http = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const one = { method, url, headers, body: Buffer.concat(chunks) };
      asked.push(one);
      const result = server.answer(one);
      if (result === 'reset') {
        request.socket.destroy();
      } else if (result === 'hang') {
        hanging += 1;
        response.on('close', () => (hanging -= 1));
      } else {
        response.writeHead(result.status, result.headers).end(result.body);
      }
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const server: ScriptedServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    asked,
    answer,
    get hanging() {
      return hanging;
    },
    stop: () =>
      new Promise((resolve) => {
        http.close(() => {
          resolve();
        });
        http.closeAllConnections();
      }),
  };
  return server;
}

/** A URL at which nothing listens. */
export async function deadUrl(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`;
}

export function problem(status: number, code: string): ScriptedAnswer {
  return {
    status,
    headers: { 'content-type': 'application/problem+json' },
    body: JSON.stringify({ title: 'T', status, detail: `sentence about ${code}`, code }),
  };
}

export const INCARNATION = '11111111-1111-4111-8111-111111111111';
export const DIGEST = 'ab'.repeat(32);

export function snapshot(status: number, version: number, body: string): ScriptedAnswer {
  return {
    status,
    headers: {
      'content-type': 'application/x-protobuf',
      'x-clusterflux-version': String(version),
      'x-clusterflux-incarnation': version === 0 ? '' : INCARNATION,
      'x-clusterflux-digest': version === 0 ? '' : DIGEST,
    },
    body,
  };
}

export function json(status: number, body: unknown): ScriptedAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
