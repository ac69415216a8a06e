// The attempts of one call to the managers: which endpoint, when, until when; and the sentence when all have failed.
import type { AxiosError, AxiosRequestConfig } from 'axios';
import axios from 'axios';
import type { IAxiosRetryConfig } from 'axios-retry';
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import { BACKOFF_INITIAL_MS, BACKOFF_MAX_MS } from '../../shared/lifecycle/backoff.js';
import { problemOf } from './answers.js';
import type { Endpoints } from './endpoints.js';

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

/** How often a call is tried before its failure is the caller's; at least once per endpoint. */
export const ATTEMPTS = 5;

/** The attempts of one call: where the next one goes, when, and the signal that ends it. */
export class CallAttempts {
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
