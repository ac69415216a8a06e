// One agent's calls to others: signed where there is a secret, over TLS where there are certificates, and no answer is
// believed that does not come from the node that was meant. It keeps connections, and repeats only what was not accepted,
// or went into a connection that was closed already.
import type { Readable } from 'node:stream';
import type { Address } from '../../shared/config/address.js';
import { formatAddress } from '../../shared/config/address.js';
import { AppError } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { PeerKeys } from '../../shared/peer-auth/secret.js';
import type { Signed } from '../../shared/peer-auth/signer.js';
import { newNonce, PeerSigner } from '../../shared/peer-auth/signer.js';
import { ANSWER_HEADER, formatAsking } from '../../shared/peer-auth/wire.js';
import { FRAMES_TYPE } from './frames.js';
import { openFrames } from './open-frames.js';
import { mismatch, refused, unreachable, type Peer, type Raw } from './peer-errors.js';
import { HELLO_PATH } from './peer-routes.js';
import type { PeerSecurity } from './peer-security.js';
import { TO_HEADER } from './peer-server.js';
import type { Lane } from './peer-transport.js';
import { PeerTransport, StaleConnection } from './peer-transport.js';
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
  /** Which of its connections it takes; `calls` where absent. */
  readonly lane?: Lane;
  /** In place of the client's own. */
  readonly deadlineMs?: number;
}

/** A streamed answer. The body errors where it is not exactly what the peer sent, to its end; destroying it ends the call. */
export interface PeerStreamed {
  readonly head: unknown;
  readonly body: Readable;
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
const NO_SIGNAL = new AbortController().signal;

interface Exchange extends PeerCall {
  readonly headers: Readonly<Record<string, string>>;
  /** The key for the frames of a streamed answer; null: they have no codes. Absent: a streamed answer is an error. */
  readonly framesKey?: Buffer | null;
  /** Ends a streamed answer, also after the call. */
  readonly life?: AbortSignal;
}

type Received = Raw & { readonly streamed?: PeerStreamed };

export class PeerClient {
  private readonly signer: PeerSigner;
  private readonly transport = new PeerTransport();

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
    return this.begin(address, uid, call, signal, {});
  }

  /**
   * As `call`, for a route that streams: the deadline ends when its head is here, `signal` ends the body too. Where the peer
   * had no more to say than an answer of a status, it is that.
   */
  async open(
    address: Address,
    uid: string,
    call: PeerCall,
    signal: AbortSignal,
  ): Promise<PeerAnswer | PeerStreamed> {
    const received = await this.begin(address, uid, call, signal, { life: signal });
    return received.streamed ?? received;
  }

  /** Ends kept connections; calls under way end by their own signals. */
  close(): void {
    this.transport.close();
  }

  private begin(
    address: Address,
    uid: string,
    call: PeerCall,
    signal: AbortSignal | undefined,
    how: { readonly life?: AbortSignal },
  ): Promise<Received> {
    const path = call.path.split('?')[0] ?? '';
    const what = `asking the agent at ${formatAddress(address)} for ${call.method} ${path}`;
    const peer: Peer = { address, uid, what };
    const deadlineMs = call.deadlineMs ?? this.options.deadlineMs ?? DEADLINE_MS;
    return this.withDeadline(what, deadlineMs, signal, async (limit) => {
      const keys = this.options.security.keys?.current;
      const attempt = () =>
        keys === undefined
          ? this.callUnsigned(peer, { ...call, ...how }, limit)
          : this.callSigned(keys, peer, { ...call, ...how }, limit);
      return attempt().catch((error: unknown) => {
        // Every route may be asked twice. What the first one signed is not used again.
        if (error instanceof StaleConnection && !limit.aborted) return attempt();
        throw error;
      });
    });
  }

  private async callUnsigned(
    peer: Peer,
    call: PeerCall & Pick<Exchange, 'life'>,
    signal: AbortSignal,
  ): Promise<Received> {
    const headers = { [TO_HEADER]: peer.uid };
    const answer = await this.exchange(peer, { ...call, headers, framesKey: null }, signal);
    if (answer.status === 401 || answer.status === 429) throw refused(peer, answer);
    if (answer.status === 421) throw mismatch(peer);
    return answer;
  }

  private async callSigned(
    keys: PeerKeys,
    peer: Peer,
    call: PeerCall & Pick<Exchange, 'life'>,
    signal: AbortSignal,
  ): Promise<Received> {
    const { method, path, body = Buffer.alloc(0) } = call;
    for (let isFirst = true; ; isFirst = false) {
      const toSign = { method, path, body, to: peer.uid };
      const signed: Signed =
        this.signer.sign(keys, toSign) ?? (await this.firstSigned(keys, peer, toSign, signal));
      const headers = { authorization: signed.authorization };
      const framesKey = this.signer.streamKey(keys, signed);
      const answer = await this.exchange(peer, { ...call, headers, framesKey }, signal);
      // Its first frame bore a code.
      if (answer.streamed !== undefined) return answer;
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

  private async exchange(peer: Peer, call: Exchange, signal: AbortSignal): Promise<Received> {
    const { method, path, headers, body, lane = 'calls', framesKey, life = NO_SIGNAL } = call;
    // A streamed answer outlives the deadline of its beginning: it has a signal of its own.
    const connection = new AbortController();
    const end = () => {
      connection.abort();
    };
    signal.addEventListener('abort', end, { once: true });
    try {
      if (signal.aborted) end();
      const outgoing = { method, path, headers, body, lane };
      const certificates = this.options.security.certificates?.current;
      const response = await this.transport.send(
        peer.address,
        outgoing,
        certificates,
        connection.signal,
      );
      const { statusCode: status = 0, headers: received } = response;
      const isStream = received['content-type'] === FRAMES_TYPE && framesKey !== undefined;
      if (status === 200 && isStream && call.life !== undefined) {
        const streamed = await openFrames(response, {
          key: framesKey ?? undefined,
          signal,
          life,
          end,
        });
        return { status, headers: received, body: Buffer.alloc(0), streamed };
      }
      const { maxAnswerBytes = MAX_ANSWER_BYTES } = call;
      const read = await readBody(response, maxAnswerBytes, signal);
      return { status, headers: received, body: read };
    } catch (error) {
      end();
      throw error;
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  private async withDeadline<T>(
    what: string,
    deadlineMs: number,
    outer: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
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
