// Connections to other agents: kept, over TLS where there are certificates, and of a bounded number per peer and kind of
// call, so that neither a batch nor a long answer makes the short calls wait. It signs nothing and believes everything.
import type { IncomingMessage } from 'node:http';
import { request as httpRequest, Agent as HttpAgent } from 'node:http';
import { request as httpsRequest, Agent as HttpsAgent } from 'node:https';
import type { Address } from '../../shared/config/address.js';
import type { Certificates } from '../../shared/security/certificates.js';
import { MIN_TLS_VERSION } from '../../shared/security/certificates.js';

/** `calls`: short ones; `writes`: batches; `reads`: answers that may take long. */
export type Lane = 'calls' | 'writes' | 'reads';

/** Sockets per peer. A read holds one for as long as its client takes the answer. */
const MAX_SOCKETS: Readonly<Record<Lane, number>> = { calls: 16, writes: 32, reads: 128 };

/** Below the 5 s after which Node's server closes an idle connection: what is just closing is not used again. */
const KEEP_IDLE_MS = 4_000;

/** A kept connection that the other end had closed: it broke before any byte of an answer. */
export class StaleConnection extends Error {
  override readonly name = 'StaleConnection';
}

const STALE_CODES = new Set(['ECONNRESET', 'EPIPE']);

export interface Outgoing {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  readonly lane: Lane;
}

interface Agents {
  /** Undefined: plain. */
  readonly of: Certificates | undefined;
  readonly byLane: Map<Lane, HttpAgent>;
}

export class PeerTransport {
  private agents: Agents = { of: undefined, byLane: new Map() };

  /** Resolves with the head of the answer. Rejects with Node's own error; the signal ends it, the answer's body included. */
  send(
    { host, port }: Address,
    { method, path, headers, body, lane }: Outgoing,
    certificates: Certificates | undefined,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const length = body === undefined ? {} : { 'content-length': body.length };
    const options = {
      ...{ host, port, method, path, signal },
      agent: this.agentOf(certificates, lane),
      headers: { ...headers, ...length },
    };
    return new Promise((resolve, reject) => {
      const outgoing = certificates === undefined ? httpRequest(options) : httpsRequest(options);
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        const isStale = outgoing.reusedSocket && STALE_CODES.has(error.code ?? '');
        reject(isStale ? new StaleConnection(error.message, { cause: error }) : error);
      });
      outgoing.on('response', resolve);
      outgoing.end(body);
    });
  }

  /** Ends kept connections; those in use end by their own signals. */
  close(): void {
    for (const agent of this.agents.byLane.values()) agent.destroy();
  }

  /** New certificates get connections of their own; those of the old ones end once they are idle. */
  private agentOf(certificates: Certificates | undefined, lane: Lane): HttpAgent {
    if (this.agents.of !== certificates) {
      this.agents = { of: certificates, byLane: new Map() };
    }
    const known = this.agents.byLane.get(lane);
    if (known !== undefined) return known;
    const common = {
      keepAlive: true,
      noDelay: true,
      maxSockets: MAX_SOCKETS[lane],
      timeout: KEEP_IDLE_MS,
    };
    const agent =
      certificates === undefined
        ? new HttpAgent(common)
        : new HttpsAgent({ ...common, ...identityOf(certificates), minVersion: MIN_TLS_VERSION });
    this.agents.byLane.set(lane, agent);
    return agent;
  }
}

function identityOf({ cert, key, ca }: Certificates) {
  return { cert, key, ca };
}
