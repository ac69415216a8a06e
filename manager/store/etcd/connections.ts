// The etcd clients: one per endpoint for calls, and one of its own for each stream. Decides which endpoint is used, and how often
// and how long a call is tried. The library's own retries and circuit breakers are off: they turn lost replies into false answers.
import { noop } from 'cockatiel';
import { Etcd3, type IOptions } from 'etcd3';
import { rootCertificates } from 'node:tls';
import { AppError } from '../../../shared/errors/app-error.js';
import { assertNotAborted, bounded } from '../deadline.js';
import { asksWho, judge, outcomeUnknown, unavailable } from './errors.js';

export interface EtcdConnectionOptions {
  /** With scheme: `http://127.0.0.1:2379`; all `http` or all `https`. */
  readonly endpoints: readonly string[];
  readonly username?: string;
  readonly password?: string;
  /** Contents of PEM files. Without `ca` the public authorities are trusted. */
  readonly tls?: { readonly ca?: Buffer; readonly certificate?: Buffer; readonly key?: Buffer };
  /** Deadline of each call over all its attempts; 5 s where absent. */
  readonly timeoutMs?: number;
}

export interface Call<T> {
  /** For messages: "reading from", "writing to". */
  readonly doing: string;
  /** True where doing it twice is the same as once: only such a call is tried again after it may have been carried out. */
  readonly isIdempotent: boolean;
  readonly signal?: AbortSignal | undefined;
  /** One attempt; `deadline` is its end on the clock of `Date.now()`. */
  readonly attempt: (client: Etcd3, deadline: number) => Promise<T>;
}

/** Long enough for an election of etcd's (1 to 2 s), short enough that a caller of ours still waits. */
export const DEFAULT_TIMEOUT_MS = 5_000;

const GRPC_OPTIONS = {
  // Above the 5 s below which etcd punishes pings. A dead peer is noticed within 7.5 s; our own checks are quicker.
  'grpc.keepalive_time_ms': 5_500,
  'grpc.keepalive_timeout_ms': 2_000,
  // Else all clients of a process share one connection, and a stream's trouble would be every call's.
  'grpc.use_local_subchannel_pool': 1,
  // The answer to a range may be larger than gRPC's 4 MiB; what is asked for is ours to bound.
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
};

export class EtcdConnections {
  readonly location: string;
  readonly timeoutMs: number;
  private readonly clients = new Map<string, Etcd3>();
  private current = 0;
  /** Whether etcd asks who calls. It is switched on and off there while we run, and a token is to be had only while it is on. */
  private isAskedWho: boolean;
  private isClosed = false;

  constructor(private readonly options: EtcdConnectionOptions) {
    if (options.endpoints.length === 0) {
      throw new AppError(
        'config-invalid',
        'etcd needs at least one endpoint, such as http://127.0.0.1:2379',
      );
    }
    this.location = options.endpoints.join(',');
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.isAskedWho = options.username !== undefined;
  }

  /**
   * Runs a call against the endpoint in use, and moves on to the next where that one gives no answer. Throws AppError
   * `store-unavailable`, `aborted`, or for calls that are not idempotent `outcome-unknown`.
   */
  async call<T>(call: Call<T>): Promise<T> {
    this.assertOpen();
    assertNotAborted(call.signal);
    const failed = call.isIdempotent ? unavailable : outcomeUnknown;
    const subject = { doing: call.doing, location: this.location };
    return await bounded(this.attempts(call), {
      // The attempts have deadlines of their own; this one is for what ignores them.
      timeoutMs: this.timeoutMs + DEADLINE_GRACE_MS,
      signal: call.signal,
      onTimeout: () => failed(subject, new Error(`no answer within ${this.timeoutMs} ms`)),
      ...(call.isIdempotent
        ? {}
        : {
            onAbort: () => outcomeUnknown(subject, new Error('it was aborted before the answer')),
          }),
    });
  }

  /** A client of its own for one stream, on the endpoint in use; whoever asked closes it. */
  streamClient(): { readonly client: Etcd3; readonly endpoint: number } {
    this.assertOpen();
    const endpoint = this.current;
    return {
      client: this.connect(endpoint, { 'grpc.keepalive_permit_without_calls': 1 }),
      endpoint,
    };
  }

  /** Says that an endpoint gave no answer: the next call and the next stream use the one after it. */
  leave(endpoint: number): void {
    if (endpoint === this.current) this.current = (endpoint + 1) % this.options.endpoints.length;
  }

  /** What an error says of whether etcd asks who calls; true where that is news, so that the same may succeed now. */
  learn(error: unknown): boolean {
    const isAskedWho = asksWho(error);
    if (this.options.username === undefined || isAskedWho === undefined) return false;
    const isNews = this.isAskedWho !== isAskedWho;
    this.isAskedWho = isAskedWho;
    return isNews;
  }

  close(): void {
    this.isClosed = true;
    for (const client of this.clients.values()) client.close();
    this.clients.clear();
  }

  private async attempts<T>(call: Call<T>): Promise<T> {
    const subject = { doing: call.doing, location: this.location };
    const end = Date.now() + this.timeoutMs;
    // Every endpoint once, and the first once more: it may have come back, or only its connection was old.
    for (let left = this.options.endpoints.length + 1; ; left--) {
      const endpoint = this.current;
      const now = Date.now();
      try {
        const share = call.isIdempotent ? (end - now) / left : end - now;
        return await call.attempt(this.client(endpoint), now + share);
      } catch (error) {
        const failure = judge(error);
        if (this.learn(error)) continue;
        if (failure !== 'rejected') this.leave(endpoint);
        if (failure === 'unknown' && !call.isIdempotent) throw outcomeUnknown(subject, error);
        const mayTryAgain =
          failure !== 'rejected' && left > 1 && Date.now() < end && !this.isClosed;
        if (!mayTryAgain || call.signal?.aborted === true) throw unavailable(subject, error);
      }
    }
  }

  private client(endpoint: number): Etcd3 {
    // Calls may be under way on a client of the other kind, so it stays.
    const key = `${endpoint} ${String(this.isAskedWho)}`;
    let client = this.clients.get(key);
    if (client === undefined) {
      client = this.connect(endpoint, {});
      this.clients.set(key, client);
    }
    return client;
  }

  private connect(endpoint: number, grpcOptions: IOptions['grpcOptions'] & object): Etcd3 {
    const { endpoints, username, password, tls } = this.options;
    return new Etcd3({
      hosts: [endpoints[endpoint] ?? ''],
      grpcOptions: { ...GRPC_OPTIONS, ...grpcOptions },
      faultHandling: { global: noop, host: () => noop },
      // Each call brings its own deadline; this one is for the exchange of the password.
      defaultCallOptions: (context) =>
        context.isStream ? {} : { deadline: Date.now() + this.timeoutMs },
      ...(username === undefined || !this.isAskedWho
        ? {}
        : { auth: { username, password: password ?? '' } }),
      ...(tls === undefined ? {} : { credentials: credentialsOf(tls) }),
    });
  }

  private assertOpen(): void {
    if (this.isClosed) {
      throw new AppError(
        'store-unavailable',
        `the connection to etcd at ${this.location} is closed`,
        {
          status: 503,
        },
      );
    }
  }
}

const DEADLINE_GRACE_MS = 250;

function credentialsOf(
  tls: NonNullable<EtcdConnectionOptions['tls']>,
): NonNullable<IOptions['credentials']> {
  return {
    rootCertificate: tls.ca ?? Buffer.from(rootCertificates.join('\n')),
    ...(tls.key === undefined ? {} : { privateKey: tls.key }),
    ...(tls.certificate === undefined ? {} : { certChain: tls.certificate }),
  };
}
