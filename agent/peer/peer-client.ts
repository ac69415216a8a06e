// One agent's calls to others: signed where there is a secret, over TLS where there are certificates, and no answer is
// believed that does not come from the node that was meant. It keeps connections, and repeats only what was not accepted.
import { request as httpRequest, Agent as HttpAgent } from 'node:http';
import { request as httpsRequest, Agent as HttpsAgent } from 'node:https';
import type { Address } from '../../shared/config/address.js';
import { formatAddress } from '../../shared/config/address.js';
import { AppError } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { PeerKeys } from '../../shared/peer-auth/secret.js';
import { newNonce, PeerSigner } from '../../shared/peer-auth/signer.js';
import { ANSWER_HEADER, formatAsking } from '../../shared/peer-auth/wire.js';
import type { Certificates } from '../../shared/security/certificates.js';
import { MIN_TLS_VERSION } from '../../shared/security/certificates.js';
import { mismatch, refused, unreachable, type Peer, type Raw } from './peer-errors.js';
import { HELLO_PATH } from './peer-routes.js';
import type { PeerSecurity } from './peer-security.js';
import { TO_HEADER } from './peer-server.js';
import { readBody } from './read-body.js';

export interface PeerClientOptions {
  /** The uid of this agent, `operator` for commands. */
  readonly uid: string;
  readonly security: PeerSecurity;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Of one call with all its attempts; 10 s where absent. */
  readonly deadlineMs?: number;
}

export interface PeerCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With the query, encoded. */
  readonly path: string;
  readonly body?: Uint8Array;
  /** The largest answer that is read; 64 MiB where absent. */
  readonly maxAnswerBytes?: number;
}

/** Any status of the node that was meant; 401 and 429 without its signature are errors. */
export interface PeerAnswer {
  readonly status: number;
  readonly body: Buffer;
}

const DEADLINE_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** A challenge is short; what is longer is none. */
const MAX_CHALLENGE_BYTES = 64 * 1024;
const MAX_SOCKETS_PER_PEER = 16;

interface Exchange extends PeerCall {
  readonly headers: Readonly<Record<string, string>>;
}

export class PeerClient {
  private readonly signer: PeerSigner;
  private readonly common = { keepAlive: true, noDelay: true, maxSockets: MAX_SOCKETS_PER_PEER };
  private readonly plain = new HttpAgent(this.common);
  private tls: { readonly of: Certificates; readonly agent: HttpsAgent } | undefined;

  constructor(private readonly options: PeerClientOptions) {
    this.signer = new PeerSigner(options);
  }

  /**
   * Asks the node with this uid at this address. Throws AppError `peer-unreachable` (retryable; whether it was run is
   * unknown), `peer-mismatch` (another node answers there), `unauthorized` (it does not take our signature, or its answer
   * bears none of this cluster), `rate-limited` or `aborted`.
   */
  async call(
    address: Address,
    uid: string,
    call: PeerCall,
    signal?: AbortSignal,
  ): Promise<PeerAnswer> {
    const path = call.path.split('?')[0] ?? '';
    const what = `asking the agent at ${formatAddress(address)} for ${call.method} ${path}`;
    const peer: Peer = { address, uid, what };
    return this.withDeadline(what, signal, async (limit) => {
      const keys = this.options.security.keys?.current;
      return keys === undefined
        ? this.callUnsigned(peer, call, limit)
        : this.callSigned(keys, peer, call, limit);
    });
  }

  /** Ends kept connections; calls under way end by their own signals. */
  close(): void {
    this.plain.destroy();
    this.tls?.agent.destroy();
  }

  private async callUnsigned(peer: Peer, call: PeerCall, signal: AbortSignal): Promise<PeerAnswer> {
    const answer = await this.exchange(
      peer,
      { ...call, headers: { [TO_HEADER]: peer.uid } },
      signal,
    );
    if (answer.status === 401 || answer.status === 429) throw refused(peer, answer);
    if (answer.status === 421) throw mismatch(peer);
    return answer;
  }

  private async callSigned(
    keys: PeerKeys,
    peer: Peer,
    call: PeerCall,
    signal: AbortSignal,
  ): Promise<PeerAnswer> {
    const { method, path, body = Buffer.alloc(0) } = call;
    for (let isFirst = true; ; isFirst = false) {
      const toSign = { method, path, body, to: peer.uid };
      const signed =
        this.signer.sign(keys, toSign) ?? (await this.firstSigned(keys, peer, toSign, signal));
      const headers = { authorization: signed.authorization };
      const answer = await this.exchange(peer, { ...call, headers }, signal);
      const { status } = answer;
      const code = String(answer.headers[ANSWER_HEADER] ?? '');
      if (this.signer.isAnswer(keys, signed, { code, status, body: answer.body })) {
        return answer;
      }
      // It was started anew, or our clocks have drifted apart: it has accepted nothing, and says its time.
      const taken = this.takeChallenge(keys, peer, signed.proof.nonce, answer);
      if (taken === 'other-node') throw mismatch(peer);
      if (taken === 'wrong' || !isFirst) throw refused(peer, answer);
    }
  }

  /** Without the body: it goes to nobody who has not shown that it knows the secret. */
  private async firstSigned(
    keys: PeerKeys,
    peer: Peer,
    toSign: Parameters<PeerSigner['sign']>[1],
    signal: AbortSignal,
  ): Promise<NonNullable<ReturnType<PeerSigner['sign']>>> {
    const nonce = newNonce();
    const answer = await this.exchange(
      peer,
      {
        method: 'GET',
        path: HELLO_PATH,
        headers: { authorization: formatAsking(nonce) },
        maxAnswerBytes: MAX_CHALLENGE_BYTES,
      },
      signal,
    );
    const taken = this.takeChallenge(keys, peer, nonce, answer);
    if (taken === 'other-node') throw mismatch(peer);
    const signed = this.signer.sign(keys, toSign);
    if (taken === 'wrong' || signed === undefined) throw refused(peer, answer);
    return signed;
  }

  private takeChallenge(keys: PeerKeys, { uid }: Peer, nonce: string, { headers }: Raw) {
    return this.signer.takeChallenge(keys, uid, nonce, headers['www-authenticate']);
  }

  private exchange(peer: Peer, call: Exchange, signal: AbortSignal): Promise<Raw> {
    const { method, path, headers, body, maxAnswerBytes = MAX_ANSWER_BYTES } = call;
    const { host, port } = peer.address;
    const certificates = this.options.security.certificates?.current;
    const common = { host, port, method, path, signal };
    const length = body === undefined ? {} : { 'content-length': body.length };
    const options = { ...common, headers: { ...headers, ...length } };
    return new Promise((resolve, reject) => {
      const outgoing =
        certificates === undefined
          ? httpRequest({ ...options, agent: this.plain })
          : httpsRequest({ ...options, agent: this.tlsAgent(certificates) });
      outgoing.on('error', reject);
      outgoing.on('response', (response) => {
        const { statusCode: status = 0, headers: received } = response;
        readBody(response, maxAnswerBytes, signal).then(
          (read) => {
            resolve({ status, headers: received, body: read });
          },
          (error: unknown) => {
            outgoing.destroy();
            reject(error instanceof Error ? error : new Error(String(error)));
          },
        );
      });
      outgoing.end(body);
    });
  }

  /** New certificates get connections of their own; those of the old ones end when they are idle. */
  private tlsAgent(certificates: Certificates): HttpsAgent {
    if (this.tls?.of !== certificates) {
      this.tls?.agent.destroy();
      const { cert, key, ca } = certificates;
      const agent = new HttpsAgent({ ...this.common, cert, key, ca, minVersion: MIN_TLS_VERSION });
      this.tls = { of: certificates, agent };
    }
    return this.tls.agent;
  }

  private async withDeadline<T>(
    what: string,
    outer: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { deadlineMs = DEADLINE_MS } = this.options;
    const ended = new AbortController();
    const end = () => {
      ended.abort();
    };
    const timer = setTimeout(end, deadlineMs);
    outer?.addEventListener('abort', end, { once: true });
    try {
      if (outer?.aborted === true) end();
      return await work(ended.signal);
    } catch (error) {
      if (outer?.aborted === true)
        throw new AppError('aborted', `${what}: stopped`, { cause: error });
      if (error instanceof AppError) throw error;
      throw unreachable(what, ended.signal.aborted ? deadlineMs : undefined, error);
    } finally {
      clearTimeout(timer);
      outer?.removeEventListener('abort', end);
    }
  }
}
