// A stream of server-sent events from a manager: the first that answers, until it ends the stream or falls silent.
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import axios, { type AxiosInstance, type AxiosResponse } from 'axios';
import { EVENT_STREAM_TYPE } from '../shared/api/events.js';
import { AppError } from '../shared/errors/app-error.js';

/** Managers send at least a comment every 15 s; a line that is silent for longer than this is dead. */
const SILENCE_MS = 45_000;

/** What a manager says of an error is short. */
const MAX_PROBLEM_BYTES = 64 * 1024;

export interface StreamQuestion {
  readonly path: string;
  /** For the beginning of the answer. */
  readonly timeoutMs: number;
  /** Makes the error of an answer that is no stream. */
  readonly refuse: (endpoint: string, response: AxiosResponse<Buffer>) => AppError;
  readonly reasonOf: (error: unknown) => string;
}

/**
 * The data of each event, as text. Ends when the manager ends it, or says nothing for too long. Throws AppError
 * `manager-unreachable` where no manager answers, and what a manager answers instead of a stream.
 */
export async function* streamInTurn(
  http: AxiosInstance,
  endpoints: readonly string[],
  question: StreamQuestion,
): AsyncGenerator<string, void> {
  const response = await open(http, endpoints, question);
  let silence = silenceTimer(response);
  try {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    for await (const chunk of response) {
      clearTimeout(silence);
      silence = silenceTimer(response);
      const frames = (rest + decoder.write(chunk as Buffer)).split('\n\n');
      rest = frames.pop() ?? '';
      for (const frame of frames) yield* dataOf(frame);
    }
  } catch {
    // A line that broke, or was given up: the caller begins again after the last event that it had.
  } finally {
    clearTimeout(silence);
    response.destroy();
  }
}

async function open(
  http: AxiosInstance,
  endpoints: readonly string[],
  { path, timeoutMs, refuse, reasonOf }: StreamQuestion,
): Promise<Readable> {
  const reasons: string[] = [];
  for (const endpoint of endpoints) {
    const waiting = new AbortController();
    const timer = setTimeout(() => {
      waiting.abort();
    }, timeoutMs);
    let response: AxiosResponse<Readable>;
    try {
      response = await http.request<Readable>({
        url: endpoint.replace(/\/+$/, '') + path,
        headers: { accept: EVENT_STREAM_TYPE },
        responseType: 'stream',
        // The whole answer takes as long as somebody follows.
        timeout: 0,
        signal: waiting.signal,
      });
    } catch (error) {
      const isLate = axios.isCancel(error);
      reasons.push(`${endpoint}: ${isLate ? `no answer within ${timeoutMs} ms` : reasonOf(error)}`);
      continue;
    } finally {
      clearTimeout(timer);
    }
    const type = String(response.headers['content-type'] ?? '');
    if (response.status === 200 && type.startsWith(EVENT_STREAM_TYPE)) return response.data;
    throw refuse(endpoint, { ...response, data: await bodyOf(response.data) });
  }
  throw new AppError(
    'manager-unreachable',
    `asking the manager failed (${reasons.join('; ')}); is it running there? --manager names another`,
    { retryable: true },
  );
}

/** What was sent instead; a manager's errors are whole in the first bytes. */
async function bodyOf(data: Readable): Promise<Buffer> {
  const timer = silenceTimer(data);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of data) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes > MAX_PROBLEM_BYTES) break;
    }
  } catch {
    // Half an answer is judged as it is: it will not read as a manager's.
  } finally {
    clearTimeout(timer);
    data.destroy();
  }
  return Buffer.concat(chunks);
}

function silenceTimer(stream: Readable): NodeJS.Timeout {
  return setTimeout(() => {
    stream.destroy();
  }, SILENCE_MS);
}

function* dataOf(frame: string): Generator<string, void> {
  const lines = frame.split('\n').filter((line) => line.startsWith('data:'));
  if (lines.length > 0) yield lines.map((line) => line.slice('data:'.length).trim()).join('\n');
}
