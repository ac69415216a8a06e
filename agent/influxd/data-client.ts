// The local influxd for points: batches in, answers of queries streamed out, with the agent's account. It understands
// neither lines nor statements, and what influxd answers it hands on as it is.
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Precision } from '../../shared/influx/precision.js';
import { AppError } from '../../shared/errors/app-error.js';
import { authorizationOf, checkAccount, type InfluxdAccount } from './account.js';
import { DataConnections } from './data-connections.js';
import { unreachable } from './deadline.js';

export interface DataClientOptions extends InfluxdAccount {
  /** e.g. `http://127.0.0.1:8086`; a path before influxd's own is kept. */
  readonly url: string;
  /** PEM of the authority that signed influxd's certificate, for https. */
  readonly ca?: string | undefined;
  /** Of one write; 15 s where absent. */
  readonly writeDeadlineMs?: number;
  /** Until influxd sends the head of an answer, which it does before it executes; 30 s where absent. */
  readonly openDeadlineMs?: number;
}

export interface DataWrite {
  readonly database: string;
  readonly policy: string;
  readonly precision: Precision;
  /** Lines, each with a time. */
  readonly body: Uint8Array;
}

/** influxd's parameters of /query; `statement` is q. */
export interface DataQuery {
  readonly statement: string;
  readonly database?: string | undefined;
  readonly policy?: string | undefined;
  readonly epoch?: string | undefined;
  readonly chunked?: boolean | undefined;
  readonly chunkSize?: number | undefined;
  readonly pretty?: boolean | undefined;
  readonly accept?: string | undefined;
  readonly params?: string | undefined;
}

export interface DataAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Errors where it breaks off. */
  readonly body: IncomingMessage;
}

export interface InfluxDataClient {
  /** Any status. Throws AppError `influxd-unreachable` (retryable; whether it was written is unknown) or `aborted`. */
  write(write: DataWrite, signal: AbortSignal): Promise<{ status: number; text: string }>;
  /** Any status. Throws as `write`; the signal ends the body too, and with it the query. */
  query(query: DataQuery, signal: AbortSignal): Promise<DataAnswer>;
  close(): void;
}

/** The cause of an error where influxd has a request, does not answer, and may do yet what was asked. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

/** influxd gives a write up after 10 s (its write-timeout) and says so; who says nothing for longer hangs. */
const WRITE_DEADLINE_MS = 15_000;
const OPEN_DEADLINE_MS = 30_000;

/** influxd's answers to writes are one line; those that name many lines are some. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** Our clock and influxd's are those of one machine, as a rule; beyond this a token may be too old for it. */
const CLOCKS_AGREE_MS = 10_000;

export function createDataClient(options: DataClientOptions): InfluxDataClient {
  return new NodeDataClient(options);
}

class NodeDataClient implements InfluxDataClient {
  private readonly connections: DataConnections;
  private readonly origin: string;
  private readonly prefix: string;
  /** influxd's clock less ours, by its last answer: tokens end by influxd's clock. */
  private offsetMs = 0;

  constructor(private readonly options: DataClientOptions) {
    checkAccount(options);
    const url = new URL(options.url);
    this.origin = url.origin;
    this.prefix = url.pathname.replace(/\/+$/, '');
    this.connections = new DataConnections({ url, ca: options.ca });
  }

  async write(
    { database, policy, precision, body }: DataWrite,
    signal: AbortSignal,
  ): Promise<{ status: number; text: string }> {
    const query = new URLSearchParams({ db: database, rp: policy, precision });
    const path = `${this.prefix}/write?${query.toString()}`;
    const what = `writing points to influxd at ${this.origin}`;
    const { writeDeadlineMs = WRITE_DEADLINE_MS } = this.options;
    const life = new Life(signal, writeDeadlineMs);
    try {
      const response = await this.send('write', path, {}, body, life.signal);
      return { status: response.statusCode ?? 0, text: await textOf(response) };
    } catch (error) {
      throw life.explain(what, error);
    } finally {
      life.end();
    }
  }

  async query(query: DataQuery, signal: AbortSignal): Promise<DataAnswer> {
    const path = `${this.prefix}/query?${parametersOf(query).toString()}`;
    const what = `asking influxd at ${this.origin} to run a query`;
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      ...(query.accept === undefined ? {} : { accept: query.accept }),
    };
    const body = Buffer.from(new URLSearchParams({ q: query.statement }).toString());
    const life = new Life(signal, this.options.openDeadlineMs ?? OPEN_DEADLINE_MS);
    try {
      const response = await this.send('query', path, headers, body, life.signal);
      life.endDeadline();
      response.once('close', () => {
        life.end();
      });
      return { status: response.statusCode ?? 0, headers: response.headers, body: response };
    } catch (error) {
      life.end();
      throw life.explain(what, error);
    }
  }

  close(): void {
    this.connections.close();
  }

  /** Sent once more where influxd's clock turns out to be another than the one that the token was made for. */
  private async send(
    lane: 'write' | 'query',
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const post = () => {
      const account = authorizationOf(this.options, Date.now() + this.offsetMs);
      return this.connections.post(lane, path, { ...headers, ...account }, body, signal);
    };
    const response = await post();
    const isNews = this.learnClock(response.headers.date);
    if (response.statusCode !== 401 || !isNews || this.options.jwtSecret === undefined) {
      return response;
    }
    response.resume();
    return post();
  }

  private learnClock(date: string | undefined): boolean {
    const theirsMs = Date.parse(date ?? '');
    if (Number.isNaN(theirsMs)) return false;
    const beforeMs = this.offsetMs;
    this.offsetMs = theirsMs - Date.now();
    return Math.abs(this.offsetMs - beforeMs) > CLOCKS_AGREE_MS;
  }
}

/** `pretty` is read from the URL only, so all is there but the statement. */
function parametersOf(query: DataQuery): URLSearchParams {
  const { database, policy, epoch, chunked, chunkSize, pretty, params } = query;
  const parameters = new URLSearchParams();
  const set = (name: string, value: string | undefined) => {
    if (value !== undefined) parameters.set(name, value);
  };
  set('db', database);
  set('rp', policy);
  set('epoch', epoch);
  set('params', params);
  if (chunked === true) set('chunked', 'true');
  if (chunkSize !== undefined) set('chunk_size', String(chunkSize));
  if (pretty === true) set('pretty', 'true');
  return parameters;
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_TEXT_BYTES) throw new Error(`an answer of more than ${MAX_TEXT_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The signal of one exchange: the caller's, and a deadline that can end before the exchange does. */
class Life {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private isLate = false;
  private readonly onOuter = () => {
    this.controller.abort();
  };

  constructor(
    private readonly outer: AbortSignal,
    private readonly deadlineMs: number,
  ) {
    this.timer = setTimeout(() => {
      this.isLate = true;
      this.controller.abort();
    }, deadlineMs);
    outer.addEventListener('abort', this.onOuter, { once: true });
    if (outer.aborted) this.onOuter();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  endDeadline(): void {
    clearTimeout(this.timer);
  }

  end(): void {
    this.endDeadline();
    this.outer.removeEventListener('abort', this.onOuter);
  }

  explain(what: string, error: unknown): AppError {
    if (this.outer.aborted) return new AppError('aborted', `${what}: stopped`, { cause: error });
    const said = error instanceof Error ? error.message : String(error);
    if (!this.isLate) return unreachable(what, said, error);
    const why = `no whole answer within ${this.deadlineMs} ms; look whether influxd hangs or is overloaded`;
    return unreachable(what, why, new Unanswered(why));
  }
}
