// Asks a manager, for the operator commands: one attempt per manager, all of them in turn, answers checked against the
// schemas of shared/api. Errors of the API become AppErrors with its own code and sentence.
import { randomUUID } from 'node:crypto';
import { Agent as HttpsAgent } from 'node:https';
import axios, { type AxiosInstance, type AxiosResponse } from 'axios';
import type { z } from 'zod';
import { IDEMPOTENCY_HEADER } from '../shared/api/headers.js';
import { problemSchema } from '../shared/api/problem.js';
import { AppError, messageOf, type ErrorCode } from '../shared/errors/app-error.js';
import { MIN_TLS_VERSION, type Certificates } from '../shared/security/certificates.js';
import { streamInTurn } from './api-stream.js';

/** Snapshots are the largest answers; the manager's own limit is checked there. */
const MAX_ANSWER_BYTES = 1024 ** 3;

export interface ApiClient {
  /** The JSON body as it came, checked. Throws AppError with the API's code, `manager-unreachable`, `manager-invalid`, `timeout`. */
  json<T>(path: string, schema: z.ZodType<T>): Promise<T>;
  /** As `json`; undefined for 204. `accept` asks for the decoded form of a snapshot. */
  jsonOrNothing<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined>;
  /** The body as bytes; undefined for 204. */
  bytes(path: string): Promise<Buffer | undefined>;
  delete(path: string): Promise<void>;
  /** What deleting would do (the path says `dry-run=true`), checked as by `json`. */
  dryDelete<T>(path: string, schema: z.ZodType<T>): Promise<T>;
  /** The data of server-sent events as text, until the stream ends; see api-stream.ts. */
  stream(path: string): AsyncGenerator<string, void>;
  /** Sends JSON, to each manager under the same idempotency key; the JSON answer, checked as by `json`. */
  post<T>(path: string, body: object, schema: z.ZodType<T>): Promise<T>;
}

export interface ApiClientOptions {
  /** Base URLs, at least one. */
  readonly endpoints: readonly string[];
  /** For each attempt, and its whole answer. */
  readonly timeoutMs: number;
  /** PEM texts for https managers: who signs them, and a certificate of one's own. */
  readonly tls: Certificates;
  /** Sent as bearer token. */
  readonly token: string | undefined;
}

export function createApiClient(options: ApiClientOptions): ApiClient {
  const { endpoints, timeoutMs, tls, token } = options;
  const http = axios.create({
    timeout: timeoutMs,
    maxRedirects: 0,
    maxContentLength: MAX_ANSWER_BYTES,
    responseType: 'arraybuffer',
    // Every answer is judged here; a proxy of the environment has no business between us and the manager.
    validateStatus: () => true,
    proxy: false,
    httpsAgent: new HttpsAgent({ ...tls, minVersion: MIN_TLS_VERSION }),
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  const ask = (method: 'GET' | 'DELETE', path: string, accept: string) =>
    askInTurn(http, endpoints, { method, path, headers: { accept }, timeoutMs });

  const jsonOrNothing = async <T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> => {
    const answer = await ask('GET', path, 'application/json');
    if (answer.response.status === 204) return undefined;
    return checkedJson(answer, schema);
  };
  return {
    jsonOrNothing,
    async json(path, schema) {
      const body = await jsonOrNothing(path, schema);
      if (body === undefined)
        throw new AppError('manager-invalid', `${path} was answered without a body`);
      return body;
    },
    async bytes(path) {
      const { response } = await ask('GET', path, 'application/x-protobuf');
      return response.status === 204 ? undefined : response.data;
    },
    async delete(path) {
      await ask('DELETE', path, 'application/json');
    },
    async dryDelete(path, schema) {
      return checkedJson(await ask('DELETE', path, 'application/json'), schema);
    },
    stream(path) {
      return streamInTurn(http, endpoints, { path, timeoutMs, refuse: problemOf, reasonOf });
    },
    async post(path, body, schema) {
      const headers = {
        accept: 'application/json',
        'content-type': 'application/json',
        [IDEMPOTENCY_HEADER]: randomUUID(),
      };
      const data = JSON.stringify(body);
      const question = { method: 'POST', path, headers, data, timeoutMs } as const;
      return checkedJson(await askInTurn(http, endpoints, question), schema);
    },
  };
}

interface Question {
  readonly method: 'GET' | 'DELETE' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The body, where there is one. */
  readonly data?: string;
  readonly timeoutMs: number;
}

interface Answer {
  readonly endpoint: string;
  readonly response: AxiosResponse<Buffer>;
}

/** The first manager that answers decides; only those that can't be reached are passed over. */
async function askInTurn(
  http: AxiosInstance,
  endpoints: readonly string[],
  question: Question,
): Promise<Answer> {
  const reasons: string[] = [];
  let isTimeout = true;
  for (const endpoint of endpoints) {
    const url = endpoint.replace(/\/+$/, '') + question.path;
    let response: AxiosResponse<Buffer>;
    try {
      const { method, headers, data, timeoutMs } = question;
      // axios's own timeout begins with the connection; the signal also covers finding the address.
      const signal = AbortSignal.timeout(timeoutMs);
      response = await http.request<Buffer>({ method, url, headers, data, signal });
    } catch (error) {
      const isLate =
        axios.isCancel(error) || (axios.isAxiosError(error) && error.code === 'ECONNABORTED');
      if (!isLate) isTimeout = false;
      reasons.push(
        `${endpoint}: ${isLate ? `no answer within ${question.timeoutMs} ms` : reasonOf(error)}`,
      );
      continue;
    }
    if (response.status >= 300) throw problemOf(endpoint, response);
    return { endpoint, response };
  }
  throw new AppError(
    isTimeout ? 'timeout' : 'manager-unreachable',
    `asking the manager failed (${reasons.join('; ')}); is it running there? --manager names another`,
    { retryable: true },
  );
}

function checkedJson<T>({ endpoint, response }: Answer, schema: z.ZodType<T>): T {
  const body = parseJson(response.data);
  // The object itself is given back, not the schema's copy of it, which would lack what newer managers add.
  if (schema.safeParse(body).success) return body as T;
  throw noManager(endpoint, response);
}

/** problem+json becomes an AppError with its code; anything else shows that this is no manager. */
function problemOf(endpoint: string, response: AxiosResponse<Buffer>): AppError {
  const problem = problemSchema.safeParse(parseJson(response.data));
  if (!problem.success) return noManager(endpoint, response);
  const { code, detail, status } = problem.data;
  return new AppError(code as ErrorCode, detail, { status });
}

function noManager(endpoint: string, response: AxiosResponse<Buffer>): AppError {
  const type = String(response.headers['content-type'] ?? 'no content type');
  const message = `${endpoint} does not answer as a ClusterFlux manager (status ${response.status}, ${type}); --manager, or agent.endpoints, names the right one`;
  return new AppError('manager-invalid', message);
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // Not JSON: no schema takes undefined, so the caller says what that means.
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  if (!axios.isAxiosError(error)) return messageOf(error);
  if (error.code === 'ECONNREFUSED') return 'connection refused';
  return error.message === '' ? (error.code ?? 'unknown error') : error.message;
}
