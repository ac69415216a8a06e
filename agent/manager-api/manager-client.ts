// One HTTP call to the managers: a deadline per attempt, retries with jitter, endpoints in turn. It knows no routes and
// judges no answers below 500; those are values to http-manager-api.ts.
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { AxiosInstance, AxiosResponse } from 'axios';
import axios from 'axios';
import axiosRetry from 'axios-retry';
import { SESSION_HEADER } from '../../shared/api/headers.js';
import { MIN_TLS_VERSION, type Certificates } from '../../shared/security/certificates.js';
import type { ManagerCall } from './call-attempts.js';
import { CallAttempts } from './call-attempts.js';
import { NO_CREDENTIALS, type Credentials, type CredentialSource } from './credentials.js';
import { Endpoints } from './endpoints.js';

export interface ManagerClientOptions {
  /** Base URLs of the managers, at least one. */
  readonly endpoints: readonly string[];
  /** Token and certificates, asked for at each call because their files may change; absent: none. */
  readonly credentials?: Pick<CredentialSource, 'current' | 'refused'>;
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
const SOCKETS = { keepAlive: true, noDelay: true, maxFreeSockets: MAX_IDLE_SOCKETS };

/**
 * A token that a manager refused is not shown to it again for so long, unless the token file has another by then: asking
 * on would only use up what the managers allow an address in wrong tokens (20 a minute by default).
 */
const REFUSED_FOR_MS = 15_000;

/** What a manager said to a token that it does not know. */
interface RefusedToken {
  readonly token: string | undefined;
  readonly untilMs: number;
  readonly answer: ManagerAnswer;
}

export class ManagerClient {
  readonly endpoints: Endpoints;
  /** Sent with every call once the managers have confirmed it; proves for which node this agent acts. */
  session: string | undefined;
  private readonly http: AxiosInstance;
  private readonly httpAgent = new HttpAgent(SOCKETS);
  private httpsAgent = makeHttpsAgent(NO_CREDENTIALS.certificates);
  private certificates = NO_CREDENTIALS.certificates;
  /** Of certificates that were replaced; calls under way go on with them. */
  private readonly retired = new Set<HttpsAgent>();
  private readonly refusedTokens = new Map<string, RefusedToken>();

  constructor(private readonly options: ManagerClientOptions) {
    this.endpoints = new Endpoints(options.endpoints.map((url) => url.replace(/\/+$/, '')));
    this.http = axios.create({
      httpAgent: this.httpAgent,
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
    const credentials = (await this.options.credentials?.current()) ?? NO_CREDENTIALS;
    const attempts = new CallAttempts(call, this.endpoints, this.options.random ?? Math.random);
    const refused = this.refusalOf(attempts.endpoint, credentials);
    if (refused !== undefined) return this.noteRefusal(refused);
    this.use(credentials.certificates);
    try {
      const response = await this.http.request<Buffer>({
        ...attempts.config(this.headersOf(call, credentials)),
        httpsAgent: this.httpsAgent,
      });
      const { endpoint } = attempts;
      const headers = headersOf(response);
      const answer = { status: response.status, headers, body: response.data, endpoint };
      if (answer.status !== 401) return answer;
      const untilMs = performance.now() + REFUSED_FOR_MS;
      this.refusedTokens.set(endpoint, { token: credentials.token, untilMs, answer });
      return this.noteRefusal(answer);
    } catch (error) {
      throw attempts.failure(error);
    } finally {
      attempts.end();
    }
  }

  /** Closes kept connections; calls under way end by their own signals. */
  close(): void {
    for (const agent of [this.httpAgent, this.httpsAgent, ...this.retired]) agent.destroy();
  }

  /** What this endpoint said to this token a moment ago; undefined: it is worth a call. */
  private refusalOf(endpoint: string, { token }: Credentials): ManagerAnswer | undefined {
    const known = this.refusedTokens.get(endpoint);
    if (known === undefined) return undefined;
    if (known.token === token && performance.now() < known.untilMs) return known.answer;
    this.refusedTokens.delete(endpoint);
    return undefined;
  }

  /** Another manager may know the token already, and the file may have another one by now. */
  private noteRefusal(answer: ManagerAnswer): ManagerAnswer {
    this.options.credentials?.refused();
    this.endpoints.failed(answer.endpoint, { isSilent: false });
    return answer;
  }

  /** New connections are made with these certificates from now on; those without a call are closed. */
  private use(certificates: Certificates): void {
    if (certificates === this.certificates) return;
    this.certificates = certificates;
    for (const agent of this.retired) if (isUnused(agent)) this.retired.delete(agent);
    const before = this.httpsAgent;
    before.maxFreeSockets = 0;
    for (const socket of Object.values(before.freeSockets).flat()) socket?.destroy();
    if (!isUnused(before)) this.retired.add(before);
    this.httpsAgent = makeHttpsAgent(certificates);
  }

  private headersOf(call: ManagerCall, { token }: Credentials): Record<string, string> {
    const isBytes = call.body instanceof Uint8Array;
    return {
      // The library's default prefers JSON, which managers also have of snapshots.
      accept: '*/*',
      ...(call.body === undefined || isBytes ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(this.session === undefined ? {} : { [SESSION_HEADER]: this.session }),
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

function makeHttpsAgent({ cert, key, ca }: Certificates): HttpsAgent {
  return new HttpsAgent({ ...SOCKETS, cert, key, ca, minVersion: MIN_TLS_VERSION });
}

function isUnused({ sockets, requests }: HttpsAgent): boolean {
  return Object.keys(sockets).length + Object.keys(requests).length === 0;
}
