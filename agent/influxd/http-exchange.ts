// One HTTP exchange with one server over kept connections: request out, answer read whole, in memory. It knows neither
// influxd nor deadlines, follows nothing, and repeats only what the caller calls repeatable.
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export interface HttpConnectionsOptions {
  /** Scheme, host and port count; user info and path don't. */
  readonly url: URL;
  /** PEM of the authority that signed the server's certificate, for https. */
  readonly ca?: string | undefined;
  /** The largest body that is read, in bytes. */
  readonly maxBodyBytes?: number;
}

export interface HttpExchange {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Ends the exchange wherever it is, its body included. */
  readonly signal: AbortSignal;
  /** It changes nothing: sent once more where a kept connection turns out to be closed. */
  readonly isRepeatable: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** The loop sends one statement at a time; a few more for commands and metrics that look meanwhile. */
const CONNECTIONS = 4;

/**
 * A server that restarts closes kept connections, and a statement that is just then on its way has an unknown outcome. So a
 * connection is kept for the statements of one change, and not until the next probe (2 s); a new one costs 0.1 ms.
 */
const KEEP_IDLE_MS = 1_000;

/** SHOW STATS of 10,000 shards is 5 MB. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;

export class HttpConnections {
  private readonly agent: HttpAgent;
  private readonly where: { readonly hostname: string; readonly port: number };
  private readonly underWay = new Set<ClientRequest>();
  private isClosed = false;

  constructor(private readonly options: HttpConnectionsOptions) {
    const { url, ca } = options;
    const common = {
      keepAlive: true,
      noDelay: true,
      maxSockets: CONNECTIONS,
      timeout: KEEP_IDLE_MS,
    };
    this.agent = this.isTls ? new HttpsAgent({ ...common, ca }) : new HttpAgent(common);
    this.where = {
      // Brackets belong to the text of an IPv6 address, not to the address.
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port) || (this.isTls ? 443 : 80),
    };
  }

  /** Rejects with Node's own error where no whole answer came, and at the signal. */
  async send(exchange: HttpExchange): Promise<HttpAnswer> {
    for (let isFirst = true; ; isFirst = false) {
      const request = this.begin(exchange);
      try {
        return await this.answerOf(request, exchange);
      } catch (error) {
        if (!isFirst || !exchange.isRepeatable || !wasStale(request, error)) throw error;
      } finally {
        this.underWay.delete(request);
      }
    }
  }

  /** Ends what is under way; nothing can be sent afterwards. */
  close(): void {
    this.isClosed = true;
    for (const request of this.underWay) request.destroy(new Error('the connection was closed'));
    this.agent.destroy();
  }

  private get isTls(): boolean {
    return this.options.url.protocol === 'https:';
  }

  private begin({ method, path, headers, signal }: HttpExchange): ClientRequest {
    if (this.isClosed) throw new Error('the connection was closed');
    const options = {
      ...{ ...this.where, agent: this.agent, method, path, headers, signal },
      // influxd repeats parts of a statement in a header, control characters and all.
      insecureHTTPParser: true,
    };
    const request = this.isTls ? httpsRequest(options) : httpRequest(options);
    this.underWay.add(request);
    return request;
  }

  private answerOf(request: ClientRequest, { body }: HttpExchange): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      request.on('error', (error) => {
        reject(inWords(error));
      });
      request.on('response', (response) => {
        this.readWhole(response).then(resolve, reject);
      });
      request.end(body);
    });
  }

  private readWhole(response: IncomingMessage): Promise<HttpAnswer> {
    const max = this.options.maxBodyBytes ?? MAX_BODY_BYTES;
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > max) response.destroy(new Error(`an answer of more than ${max} bytes`));
      });
      response.on('error', (error: NodeJS.ErrnoException) => {
        const isBroken = error.code === 'ECONNRESET';
        reject(isBroken ? new Error('the answer broke off', { cause: error }) : error);
      });
      response.on('end', () => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, text: Buffer.concat(chunks).toString('utf8') });
      });
    });
  }
}

/** A kept connection that the server had closed: it broke before any byte of an answer. */
function wasStale(request: ClientRequest, error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return request.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
}

/** A name with several addresses of which none answers is an error without words of its own. */
function inWords(error: NodeJS.ErrnoException): Error {
  if (error.message !== '' || !(error instanceof AggregateError)) return error;
  return new Error(error.errors.map(String).join(', '), { cause: error });
}
