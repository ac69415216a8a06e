// Kept connections to the local influxd for data: a bounded number for writes and another for queries, so that neither takes
// the other's. What goes into a connection that influxd had closed is sent once more: points carry their times.
import type { IncomingMessage } from 'node:http';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export interface DataConnectionsOptions {
  /** Scheme, host and port count; user info and path don't. */
  readonly url: URL;
  readonly ca?: string | undefined;
}

export type DataLane = 'write' | 'query';

/** Writes are short and influxd works on as many at once as it has cores; a query holds its connection for its whole answer. */
const SOCKETS: Readonly<Record<DataLane, number>> = { write: 32, query: 256 };

/** A server that was restarted closes kept connections; a new one costs 0.1 ms. */
const KEEP_IDLE_MS = 4_000;

const STALE_CODES = new Set(['ECONNRESET', 'EPIPE']);

export class DataConnections {
  private readonly agents: Readonly<Record<DataLane, HttpAgent>>;
  private readonly where: { readonly hostname: string; readonly port: number };
  private readonly isTls: boolean;

  constructor({ url, ca }: DataConnectionsOptions) {
    this.isTls = url.protocol === 'https:';
    const agentOf = (lane: DataLane) => {
      const options = {
        keepAlive: true,
        noDelay: true,
        maxSockets: SOCKETS[lane],
        timeout: KEEP_IDLE_MS,
      };
      return this.isTls ? new HttpsAgent({ ...options, ca }) : new HttpAgent(options);
    };
    this.agents = { write: agentOf('write'), query: agentOf('query') };
    this.where = {
      // Brackets belong to the text of an IPv6 address, not to the address.
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port) || (this.isTls ? 443 : 80),
    };
  }

  /** Resolves with the head of the answer; rejects with Node's own error. The signal ends the answer's body too. */
  post(
    lane: DataLane,
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
    signal: AbortSignal,
    isAgain = false,
  ): Promise<IncomingMessage> {
    const options = {
      ...this.where,
      ...{ agent: this.agents[lane], method: 'POST', path, signal },
      // influxd repeats names of clients' points in a header, control characters and all: an answer of it like any other.
      insecureHTTPParser: true,
      headers: { ...headers, 'content-length': body.length },
    };
    return new Promise((resolve, reject) => {
      const request = this.isTls ? httpsRequest(options) : httpRequest(options);
      request.on('error', (error: NodeJS.ErrnoException) => {
        const isStale = request.reusedSocket && STALE_CODES.has(error.code ?? '');
        if (!isStale || isAgain || signal.aborted) reject(inWords(error));
        else this.post(lane, path, headers, body, signal, true).then(resolve, reject);
      });
      request.on('response', resolve);
      request.end(body);
    });
  }

  /** Ends connections, those in use too. */
  close(): void {
    for (const agent of Object.values(this.agents)) agent.destroy();
  }
}

/** A name with several addresses of which none answers is an error without words of its own. */
function inWords(error: NodeJS.ErrnoException): Error {
  if (error.message !== '' || !(error instanceof AggregateError)) return error;
  return new Error(error.errors.map(String).join(', '), { cause: error });
}
