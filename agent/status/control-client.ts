// The other end of the agent's socket, for commands on the same machine. A socket at which nobody listens means that no
// agent runs on this state directory; that is an answer, not an error.
import type { IncomingMessage, RequestOptions } from 'node:http';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import { answerFromWire, requestToWire } from '../restart/restart-wire.js';
import type { RestartAnswer, RestartRequest } from '../restart/restarts.js';
import { SOCKET_FILE } from '../state/state-directory.js';
import type { TickMode, TickReport } from '../sync/port.js';
import { modeToWire, reportFromWire } from './control-wire.js';

export type AskedAgent<T> =
  { readonly kind: 'answered'; readonly value: T } | { readonly kind: 'no-agent' };

export interface AskOptions {
  /** `agent.state-dir` of the agent that is asked. */
  readonly stateDir: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** Lets the running agent reconcile once. Throws AppError `timeout`, `aborted`, or what the agent answered. */
export async function askForSync(
  mode: TickMode,
  options: AskOptions,
): Promise<AskedAgent<TickReport>> {
  const body = Buffer.from(JSON.stringify(modeToWire(mode)));
  const answer = await ask('POST', '/sync', body, options);
  if (answer === undefined) return { kind: 'no-agent' };
  return { kind: 'answered', value: reportFromWire(JSON.parse(answer.toString())) };
}

/** Lets the running agent restart its influxd. Throws as `askForSync`. */
export async function askForRestart(
  request: RestartRequest,
  options: AskOptions,
): Promise<AskedAgent<RestartAnswer>> {
  const body = Buffer.from(JSON.stringify(requestToWire(request)));
  const answer = await ask('POST', '/restart', body, options);
  if (answer === undefined) return { kind: 'no-agent' };
  return { kind: 'answered', value: answerFromWire(JSON.parse(answer.toString())) };
}

/** The body of the running agent's answer to one request. Throws as `askForSync`, and what the agent refused it with. */
export async function askAgent(
  method: 'GET' | 'POST',
  path: string,
  options: AskOptions,
): Promise<AskedAgent<Buffer>> {
  const answer = await ask(method, path, Buffer.alloc(0), options);
  return answer === undefined ? { kind: 'no-agent' } : { kind: 'answered', value: answer };
}

/** As `askAgent`, with the body as it comes; a body that breaks off is an error of the stream. The deadline is for all of it. */
export async function streamFromAgent(
  path: string,
  { stateDir, deadlineMs, signal }: AskOptions,
): Promise<AskedAgent<Readable>> {
  const socketPath = join(stateDir, SOCKET_FILE);
  const ended = AbortSignal.any([AbortSignal.timeout(deadlineMs), signal]);
  const response = await opened({ socketPath, method: 'GET', path, agent: false, signal: ended });
  if (response === undefined) return { kind: 'no-agent' };
  if (response.statusCode === 200) return { kind: 'answered', value: response };
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  throw refusalOf(Buffer.concat(chunks));
}

/** Undefined where no agent listens. */
function opened(options: RequestOptions): Promise<IncomingMessage | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = request(options, resolve);
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
      else {
        const why = `asking the running agent at ${options.socketPath ?? ''} failed: ${error.message}`;
        reject(new AppError('timeout', why, { cause: error }));
      }
    });
    outgoing.end();
  });
}

/** The body of an answer with 200; undefined where no agent listens. */
async function ask(
  method: string,
  path: string,
  body: Buffer,
  { stateDir, deadlineMs, signal }: AskOptions,
): Promise<Buffer | undefined> {
  const deadline = AbortSignal.timeout(deadlineMs);
  const socketPath = join(stateDir, SOCKET_FILE);
  try {
    const ended = AbortSignal.any([deadline, signal]);
    const answer = await exchange({ socketPath, method, path, agent: false, signal: ended }, body);
    if (answer.status === 200) return answer.body;
    throw refusalOf(answer.body);
  } catch (error) {
    if (error instanceof AppError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined;
    if (signal.aborted) throw new AppError('aborted', 'asking the running agent was ended');
    const why = deadline.aborted ? `no answer in ${deadlineMs} ms` : messageOf(error);
    throw new AppError('timeout', `asking the running agent at ${socketPath} failed: ${why}`, {
      cause: error,
    });
  }
}

interface Exchanged {
  readonly status: number;
  readonly body: Buffer;
}

function exchange(options: RequestOptions, body: Buffer): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const outgoing = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function refusalOf(body: Buffer): AppError {
  const { detail, code } = JSON.parse(body.toString()) as { detail?: string; code?: string };
  if (code === 'node-not-found' && detail !== undefined) {
    return new AppError('node-not-found', detail, { status: 404 });
  }
  return new AppError('internal', `the running agent answered: ${detail ?? 'no reason'}`);
}
