// One HTTP call to the managers: a deadline per attempt, retries with jitter, endpoints in turn. It knows no routes and
// judges no answers below 500; those are values to http-manager-api.ts.
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { AxiosInstance, AxiosResponse } from 'axios';
import axios from 'axios';
import axiosRetry from 'axios-retry';
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import type { ManagerCall } from './call-attempts.js';
import { CallAttempts } from './call-attempts.js';
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

export interface ManagerAnswer {
  /** Below 500, and not 429. */
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  /** The endpoint that answered. */
  readonly endpoint: string;
}

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
    const attempts = new CallAttempts(call, this.endpoints, this.options.random ?? Math.random);
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
