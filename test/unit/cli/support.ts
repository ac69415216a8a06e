// Runs the command line in the test's own process, and a stand-in for a manager.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

class TextBuffer extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

export interface Surroundings {
  readonly env?: Record<string, string>;
  readonly directory?: string;
}

/** Runs `clusterflux …args` with nothing of this machine's environment. */
export async function run(
  args: readonly string[],
  given: Surroundings = {},
): Promise<CommandResult> {
  const stdout = new TextBuffer();
  const stderr = new TextBuffer();
  const host = Object.assign(new EventEmitter(), { exit: () => undefined });
  const directory = given.directory ?? '/nonexistent';
  const env = { HOME: '/nonexistent', ...given.env };
  // Imported like the commands that it imports: under mocha a static import would be another instance of every module.
  const { main } = await import('../../../cli/main.js');
  const exitCode = await main(args, { stdout, stderr, env, directory, host });
  return { exitCode, stdout: stdout.text, stderr: stderr.text };
}

/** What a route answers: JSON with a status, or bytes. */
export interface Reply {
  readonly status?: number;
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  readonly type?: string;
}

/** An HTTP server whose answers are a table of `METHOD /path?query`; it notes what it was asked. */
export class FakeManager {
  readonly asked: string[] = [];
  /** The bodies that were sent, as JSON, in order; of requests that had one. */
  readonly sent: unknown[] = [];
  readonly routes = new Map<string, Reply>();
  private readonly server: Server = createServer((request, response) => {
    const question = `${request.method ?? ''} ${request.url ?? ''}`;
    this.asked.push(question);
    request.on('data', (chunk: Buffer) => {
      this.sent.push(JSON.parse(chunk.toString()));
    });
    const reply = this.routes.get(question) ?? problem(404, 'route-not-found', 'no such route');
    const type =
      reply.type ?? (reply.bytes === undefined ? 'application/json' : 'application/x-protobuf');
    response.writeHead(reply.status ?? 200, { 'content-type': type });
    response.end(reply.bytes ?? (reply.json === undefined ? '' : JSON.stringify(reply.json)));
  });

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.close(() => {
        resolve();
      });
      this.server.closeAllConnections();
    });
  }
}

export function problem(status: number, code: string, detail: string): Reply {
  const json = {
    type: `urn:clusterflux:problem:${code}`,
    title: 'x',
    status,
    detail,
    code,
    'request-id': 'r',
  };
  return { status, type: 'application/problem+json', json };
}
