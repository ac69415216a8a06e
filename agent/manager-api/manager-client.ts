// One HTTP call to the managers: a deadline per attempt, retries with jitter, endpoints in turn. It knows no routes and
// judges no answers below 500; those are values to http-manager-api.ts.
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { AxiosError, AxiosInstance, AxiosRequestConfig, AxiosResponse } from 'axios';
import axios from 'axios';
import type { IAxiosRetryConfig } from 'axios-retry';
import axiosRetry from 'axios-retry';
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import { BACKOFF_INITIAL_MS, BACKOFF_MAX_MS } from '../../shared/lifecycle/backoff.js';
import { problemOf } from './answers.js';
import { Endpoints } from './endpoints.js';

export interface ManagerClientOptions {
  /** Base URLs of the managers, at least one. */
  readonly endpoints: readonly string[];
  /** PEM files for https: who signs the managers, and this agent's own certificate. */
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** The bearer token, asked for at each call because its file may change; undefined for none. */
  readonly token?: () => string | undefined;
  /** In [0, 1); Math.random by default. */
  readonly random?: () => number;
}

export interface ManagerCall {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** With names percent-encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes go out as they are, anything else as JSON. */
  readonly body?: Uint8Array | object | undefined;
  /** For one attempt, its waiting and its whole body included. */
  readonly deadlineMs: number;
  /** True for a call that waits at the manager: it is cut as soon as anything else finds that manager silent. */
  readonly isLongPoll?: boolean;
  /** True: another endpoint at each call instead of the one that worked last. */
  readonly inTurn?: boolean;
  /** One attempt at this endpoint and no other. */
  readonly endpoint?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface ManagerAnswer {
  /** Below 500, and not 429. */
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  /** The endpoint that answered. */
  readonly endpoint: string;
}

/** How often a call is tried before its failure is the caller's; at least once per endpoint. */
export const ATTEMPTS = 5;

/** The largest answer that is read: several times the largest snapshot that a manager takes by default. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/** Kept connections are fewer than one per kind of call: poll, heartbeat, write, marks. */
const MAX_IDLE_SOCKETS = 4;

export class ManagerClient {
  readonly endpoints: Endpoints;
  private readonly http: AxiosInstance;
  private readonly agents: readonly HttpAgent[];

  /** Throws AppError `config-invalid` for a certificate file that can't be read. */
  constructor(private readonly options: ManagerClientOptions) {
    this.endpoints = new Endpoints(options.endpoints.map((url) => url.replace(/\/+$/, '')));
    const common = { keepAlive: true, noDelay: true, maxFreeSockets: MAX_IDLE_SOCKETS };
    const httpAgent = new HttpAgent(common);
    const httpsAgent = new HttpsAgent({ ...common, ...readCertificates(options) });
    this.agents = [httpAgent, httpsAgent];
    this.http = axios.create({
      httpAgent,
      httpsAgent,
      // The managers are next door; a proxy of the environment is not meant for them.
      proxy: false,
      maxRedirects: 0,
      maxContentLength: MAX_ANSWER_BYTES,
      maxBodyLength: MAX_ANSWER_BYTES,
      responseType: 'arraybuffer',
      // Every other status is an answer. 429 and 5xx may be another manager's or another moment's no.
      validateStatus: (status) => status < 500 && status !== 429,
    });
    axiosRetry(this.http, { retries: 0 });
  }

  /**
   * Throws AppError `manager-unreachable` after the last attempt, `aborted` when the signal ends it. A POST without an
   * idempotency key is tried at another endpoint only where the connection was refused.
   */
  async call(call: ManagerCall): Promise<ManagerAnswer> {
    const attempts = new Attempts(call, this.endpoints, this.options.random ?? Math.random);
    try {
      const response = await this.http.request<Buffer>(attempts.config(this.headersOf(call)));
      return {
        status: response.status,
        headers: headersOf(response),
        body: response.data,
        endpoint: attempts.endpoint,
      };
    } catch (error) {
      throw attempts.failure(error);
    } finally {
      attempts.end();
    }
  }

  /** Closes kept connections; calls under way end by their own signals. */
  close(): void {
    for (const agent of this.agents) agent.destroy();
  }

  private headersOf(call: ManagerCall): Record<string, string> {
    const token = this.options.token?.();
    const isBytes = call.body instanceof Uint8Array;
    return {
      // The library's default prefers JSON, which managers also have of snapshots.
      accept: '*/*',
      ...(call.body === undefined || isBytes ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...call.headers,
    };
  }
}

/** The attempts of one call: where the next one goes, when, and the signal that ends it. */
class Attempts {
  endpoint: string;
  private count = 1;
  /** Endpoints that refused the connection since the last pause; each is worth one try at once. */
  private readonly refused = new Set<string>();
  private leave: () => void = () => undefined;

  constructor(
    private readonly call: ManagerCall,
    private readonly endpoints: Endpoints,
    private readonly random: () => number,
  ) {
    const next = () => (call.inTurn === true ? endpoints.inTurn() : endpoints.current());
    this.endpoint = call.endpoint ?? next();
  }

  config(headers: Record<string, string>): AxiosRequestConfig {
    const { method, path, body } = this.call;
    const retry: IAxiosRetryConfig = {
      retries: Math.max(ATTEMPTS, this.endpoints.urls.length) - 1,
      retryCondition: (error) => this.mayRetry(error),
      retryDelay: (_count, error) => this.moveOn(error),
      onRetry: (_count, _error, config) => {
        config.baseURL = this.endpoint;
      },
    };
    return {
      baseURL: this.endpoint,
      url: path,
      method,
      headers,
      ...(body === undefined ? {} : { data: encodeBody(body) }),
      signal: this.begin(0),
      'axios-retry': retry,
    };
  }

  end(): void {
    this.leave();
  }

  failure(error: unknown): AppError {
    if (this.call.signal?.aborted === true) {
      return new AppError('aborted', 'calling the manager was ended by the caller');
    }
    if (axios.isAxiosError(error)) this.noteFailure(error);
    const where = this.call.endpoint ?? this.endpoints.urls.join(', ');
    const tries = this.count === 1 ? 'one attempt' : `${this.count} attempts`;
    return new AppError(
      'manager-unreachable',
      `calling the manager at ${where} failed after ${tries}: ${reasonOf(error)}; ` +
        'check that it runs, and agent.endpoints',
      { status: 503, retryable: true, cause: error, details: { endpoints: this.endpoints.urls } },
    );
  }

  private mayRetry(error: AxiosError): boolean {
    if (this.call.signal?.aborted === true || this.call.endpoint !== undefined) return false;
    const isRepeatable =
      this.call.method !== 'POST' || this.call.headers?.['idempotency-key'] !== undefined;
    return isRepeatable || isRefused(error);
  }

  /** Chooses the next endpoint and returns the pause before it is asked. */
  private moveOn(error: AxiosError): number {
    this.noteFailure(error);
    if (isRefused(error)) this.refused.add(this.endpoint);
    this.endpoint = this.endpoints.after(this.endpoint);
    const isFresh = isRefused(error) && !this.refused.has(this.endpoint);
    const ceilingMs = Math.min(BACKOFF_MAX_MS, BACKOFF_INITIAL_MS * 2 ** (this.count - 1));
    this.count += 1;
    const pauseMs = isFresh ? 0 : Math.floor(this.random() * ceilingMs);
    if (!isFresh) this.refused.clear();
    if (error.config) error.config.signal = this.begin(pauseMs);
    return pauseMs;
  }

  private noteFailure(error: AxiosError): void {
    this.endpoints.failed(this.endpoint, { isSilent: error.response === undefined });
  }

  /** The signal of one attempt: the caller's, its deadline and, for a long poll, the death of its manager. */
  private begin(pauseMs: number): AbortSignal {
    this.leave();
    const controller = new AbortController();
    const abort = () => {
      controller.abort();
    };
    const { signal, deadlineMs, isLongPoll } = this.call;
    const timer = setTimeout(abort, deadlineMs + pauseMs);
    signal?.addEventListener('abort', abort);
    if (signal?.aborted === true) abort();
    const forget = isLongPoll === true ? this.endpoints.onFailure(this.endpoint, abort) : undefined;
    this.leave = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      forget?.();
    };
    return controller.signal;
  }
}

function isRefused(error: AxiosError): boolean {
  return error.code === 'ECONNREFUSED';
}

/** Why the last attempt failed, in words. */
function reasonOf(error: unknown): string {
  if (!axios.isAxiosError<Buffer>(error)) return messageOf(error);
  if (error.response) {
    const detail = problemOf(error.response.data)?.detail;
    return `it answered ${error.response.status}${detail === undefined ? '' : ` (${detail})`}`;
  }
  if (axios.isCancel(error)) return 'it did not answer in time';
  // An AggregateError (a name with several addresses) has an empty message.
  return error.message === '' ? (error.code ?? 'the connection failed') : error.message;
}

function encodeBody(body: Uint8Array | object): Buffer {
  return body instanceof Uint8Array
    ? Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    : Buffer.from(JSON.stringify(body));
}

function headersOf(response: AxiosResponse): Record<string, string | undefined> {
  const entries = Object.entries(response.headers as Record<string, unknown>);
  return Object.fromEntries(
    entries.map(([name, value]) => [
      name.toLowerCase(),
      typeof value === 'string' ? value : undefined,
    ]),
  );
}

function readCertificates({ caFile, certFile, keyFile }: ManagerClientOptions) {
  return {
    ...(caFile === undefined ? {} : { ca: readPem(caFile, 'agent.ca-file') }),
    ...(certFile === undefined ? {} : { cert: readPem(certFile, 'agent.cert-file') }),
    ...(keyFile === undefined ? {} : { key: readPem(keyFile, 'agent.key-file') }),
  };
}

function readPem(path: string, key: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new AppError(
      'config-invalid',
      `reading ${key} ${path} failed: ${messageOf(error)}; name a PEM file that this user can read`,
      { cause: error },
    );
  }
}
