// influxd's HTTP API as far as an agent needs it: ping, and one statement per POST /query. Every body is read whole,
// because influxd sends 200 before it executes: only the body tells.
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import { authorizationOf, checkAccount, whyDenied, type InfluxdAccount } from './account.js';
import { unreachable, withDeadline } from './deadline.js';
import { HttpConnections } from './http-exchange.js';
import type { HttpAnswer } from './http-exchange.js';
import type { InfluxdIdentity } from './port.js';
import { brief, redact } from './redact.js';

export interface HttpClientOptions extends InfluxdAccount {
  /** e.g. `http://127.0.0.1:8086`; a path before influxd's own is kept. */
  readonly url: string;
  /** PEM of the authority that signed influxd's certificate, for https. */
  readonly ca?: string | undefined;
  /** Of one request, connection included; 10 s where absent. */
  readonly deadlineMs?: number | undefined;
}

/** A series of an answer. */
export interface Series {
  readonly name?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  readonly values?: readonly (readonly unknown[])[];
}

/** influxd's answer to one statement; `refused` carries its error text. */
export type QueryAnswer =
  | { readonly kind: 'done'; readonly series: readonly Series[] }
  | { readonly kind: 'refused'; readonly text: string };

export interface QueryOptions {
  /** For statements that act on the database of the request. */
  readonly database?: string;
  /** 10 s where absent: metadata statements take milliseconds, deletes may not. */
  readonly deadlineMs?: number;
}

export interface InfluxHttpClient {
  /** Undefined where nothing answers, or what answers is no influxd. Throws only `aborted`. */
  ping(signal?: AbortSignal): Promise<InfluxdIdentity | undefined>;
  /**
   * Throws AppError `influxd-unreachable` (retryable; the outcome is unknown), `unauthorized` (then the account is not tried
   * again for some seconds, unless its secret changes) or `aborted`.
   */
  query(statement: string, signal?: AbortSignal, options?: QueryOptions): Promise<QueryAnswer>;
  close(): Promise<void>;
}

/** A statement that takes longer is stuck: metadata statements take milliseconds. */
const DEADLINE_MS = 10_000;
const PING_DEADLINE_MS = 2_000;

/**
 * A refused account stays refused until somebody does something, and influxd spends 80 ms of a core on each wrong password.
 * Who set the account right still sees the agent come back within the 5 s that healing may take.
 */
const DENIED_PAUSE_MS = 4_000;

/** Our clock and influxd's are those of one machine, as a rule; beyond this a token may be too old for it. */
const CLOCKS_AGREE_MS = 10_000;

/** influxd takes it from anybody as long as it has no admin. */
const MAKES_USER = /^\s*CREATE\s+USER\s/i;

/** What changes nothing, and may be sent again where a kept connection broke: one SHOW statement. */
const READS_ONLY = /^\s*SHOW\s[^;]*$/i;

export function createHttpClient(options: HttpClientOptions): InfluxHttpClient {
  const url = parseUrl(options.url);
  return new NodeHttpClient(new HttpConnections({ url, ca: options.ca }), url, options);
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new AppError(
      'config-invalid',
      `reading influxdb.url ${JSON.stringify(redact(text))}: expected a URL such as http://127.0.0.1:8086`,
      { status: 400 },
    );
  }
  return url;
}

interface QueryBody {
  readonly error?: string;
  readonly results?: readonly { readonly error?: string; readonly series?: readonly Series[] }[];
}

class NodeHttpClient implements InfluxHttpClient {
  private readonly origin: string;
  /** The path before influxd's own. */
  private readonly prefix: string;
  private readonly deadlineMs: number;
  /** influxd's clock less ours, by its last answer: tokens end by influxd's clock. */
  private offsetMs = 0;
  private denial:
    | { readonly error: AppError; readonly untilMs: number; readonly secret: string | undefined }
    | undefined;

  constructor(
    private readonly connections: HttpConnections,
    url: URL,
    private readonly options: HttpClientOptions,
  ) {
    checkAccount(options);
    this.origin = url.origin;
    this.prefix = url.pathname.replace(/\/+$/, '');
    this.deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  }

  async ping(signal?: AbortSignal): Promise<InfluxdIdentity | undefined> {
    const call = {
      what: `asking influxd at ${this.origin} whether it is there`,
      deadlineMs: Math.min(this.deadlineMs, PING_DEADLINE_MS),
      signal,
    };
    try {
      const { status, headers } = await withDeadline(call, (signal) =>
        this.connections.send({
          method: 'GET',
          path: `${this.prefix}/ping`,
          headers: this.credentials(),
          signal,
          isRepeatable: true,
        }),
      );
      this.learnClock(headers.date);
      const version = headers['x-influxdb-version'];
      if (typeof version !== 'string') return status === 204 ? { version: 'unknown' } : undefined;
      return { version };
    } catch (error) {
      // Nothing answers: that is the answer. Only the caller's own abort is an error.
      if (error instanceof AppError && error.code === 'aborted') throw error;
      return undefined;
    }
  }

  async query(
    statement: string,
    signal?: AbortSignal,
    options: QueryOptions = {},
  ): Promise<QueryAnswer> {
    const what = `asking influxd at ${this.origin} to run ${brief(statement)}`;
    // The first admin of a server is made without any: what it refused before says nothing about this one.
    if (!MAKES_USER.test(statement)) this.throwWhileDenied();
    const { status, text } = await withDeadline(
      { what, deadlineMs: options.deadlineMs ?? this.deadlineMs, signal },
      async (limit) => {
        const answer = await this.post(what, statement, limit, options.database);
        const isNews = this.learnClock(answer.headers.date);
        // Refused, so not run: a token by influxd's own clock may be taken.
        const isWorthAgain =
          answer.status === 401 && isNews && this.options.jwtSecret !== undefined;
        return isWorthAgain ? this.post(what, statement, limit, options.database) : answer;
      },
    );
    if (status === 401 || status === 403) throw this.denied(status, text);
    this.denial = undefined;
    return this.judge(what, status, text);
  }

  private credentials(): Record<string, string> {
    return authorizationOf(this.options, Date.now() + this.offsetMs);
  }

  /** True where influxd's clock is another than was thought. */
  private learnClock(date: string | undefined): boolean {
    const theirsMs = Date.parse(date ?? '');
    if (Number.isNaN(theirsMs)) return false;
    const beforeMs = this.offsetMs;
    this.offsetMs = theirsMs - Date.now();
    return Math.abs(this.offsetMs - beforeMs) > CLOCKS_AGREE_MS;
  }

  private throwWhileDenied(): void {
    const { denial } = this;
    if (denial === undefined || denial.secret !== this.secret) return;
    if (performance.now() < denial.untilMs) throw denial.error;
  }

  private get secret(): string | undefined {
    const { password, jwtSecret } = this.options;
    return jwtSecret?.() ?? password?.();
  }

  private async post(
    what: string,
    statement: string,
    signal: AbortSignal,
    db: string | undefined,
  ): Promise<HttpAnswer> {
    try {
      return await this.connections.send({
        method: 'POST',
        path: `${this.prefix}/query`,
        headers: { ...this.credentials(), 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ q: statement, ...(db !== undefined && { db }) }).toString(),
        signal,
        isRepeatable: READS_ONLY.test(statement),
      });
    } catch (error) {
      throw unreachable(what, `${messageOf(error)}; whether it was run is unknown`, error);
    }
  }

  /** 400 and errors in a 200 are influxd's word on the statement; everything else says nothing about it. */
  private judge(what: string, status: number, text: string): QueryAnswer {
    const body = parseBody(text);
    const error = body?.error ?? body?.results?.find((result) => result.error !== undefined)?.error;
    if (error !== undefined && (status === 200 || status === 400)) {
      return { kind: 'refused', text: redact(error) };
    }
    const result = status === 200 ? body?.results?.[0] : undefined;
    if (result === undefined) {
      throw unreachable(
        what,
        `an answer with status ${status} that is none of influxd; is influxdb.url right?`,
      );
    }
    return { kind: 'done', series: result.series ?? [] };
  }

  /** One sentence whatever was asked, so that it is said once. */
  private denied(status: number, text: string): AppError {
    const said = redact(parseBody(text)?.error ?? `status ${status}`);
    const message = `influxd at ${this.origin} ${whyDenied(this.options, status)} (${brief(said)})`;
    const error = new AppError('unauthorized', message, { status: 502 });
    this.denial = { error, untilMs: performance.now() + DENIED_PAUSE_MS, secret: this.secret };
    return error;
  }

  async close(): Promise<void> {
    this.connections.close();
  }
}

function parseBody(text: string): QueryBody | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? body : undefined;
  } catch {
    // Not JSON: the caller says that this is no answer of influxd.
    return undefined;
  }
}
