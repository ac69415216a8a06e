// Everything below /peer/: asks who it is, reads the body that was signed, answers, and signs the answer. Strangers learn
// neither which routes there are nor whether a node has what they ask for.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, isAppError, messageOf } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Logger } from '../../shared/log/logger.js';
import { Failures } from '../../shared/peer-auth/failures.js';
import { sha256 } from '../../shared/peer-auth/messages.js';
import { PeerVerifier } from '../../shared/peer-auth/verifier.js';
import type { Proof } from '../../shared/peer-auth/wire.js';
import { ANSWER_HEADER, parseAuthorization, SCHEME } from '../../shared/peer-auth/wire.js';
import { FRAMES_TYPE } from './frames.js';
import type { PeerReply, PeerRoute, PeerStream } from './peer-routes.js';
import { problem } from './peer-routes.js';
import type { PeerSecurity } from './peer-security.js';
import { hasVerifiedCertificate } from './peer-security.js';
import { BodyTooLarge, readBody } from './read-body.js';
import { sendStream } from './send-stream.js';

export interface PeerServerDeps {
  readonly uid: string;
  readonly security: PeerSecurity;
  readonly routes: readonly PeerRoute[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Failed attempts of one address within a minute; beyond, it gets 429. */
  readonly maxFailures: number;
}

/** Request: the uid that it is meant for, where no signature says so. */
export const TO_HEADER = 'x-clusterflux-to';

/** Of one request, its body included, until its answer is there. */
const DEADLINE_MS = 20_000;

/**
 * Bodies that are being read or worked on, together, in bytes: beyond, 503. Every peer may send at once, and a node that
 * runs out of memory loses more than a batch that is sent again.
 */
const MAX_BODIES_BYTES = 256 * 1024 * 1024;
/** Smaller ones are not worth counting. */
const SMALL_BODY_BYTES = 64 * 1024;

/** Whose request it is: what signs the answer, and the uid that asked. */
interface Caller {
  readonly signed: { readonly key: Buffer; readonly proof: Proof } | undefined;
}

type Admission =
  | { readonly kind: 'admitted'; readonly caller: Caller }
  | {
      readonly kind: 'refused';
      readonly reply: PeerReply;
      readonly headers?: Record<string, string>;
    };

/** One for all: an error of its own for each request would cost more than the rest of its bookkeeping. */
const ENDED = new AppError('aborted', 'answering a peer: it went away, or the deadline is over');

const NOBODY: Caller = { signed: undefined };

export class PeerServer {
  private readonly verifier: PeerVerifier;
  private readonly failures: Failures;
  private bodiesBytes = 0;

  constructor(private readonly deps: PeerServerDeps) {
    const { uid, clock, maxFailures } = deps;
    this.verifier = new PeerVerifier({ uid, clock });
    this.failures = new Failures({ maxPerMinute: maxFailures, clock });
  }

  /** Rejects only where the connection broke. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = this.routeOf(request);
    const admission = this.admit(request, route);
    if (admission.kind === 'refused') {
      // Its body was not read: the connection can't be used for another request.
      send(response, admission.reply, { ...admission.headers, connection: 'close' });
      return;
    }
    const { signed } = admission.caller;
    const ended = new AbortController();
    response.once('close', () => {
      ended.abort(ENDED);
    });
    const reply = await this.answer(request, route, admission.caller, ended);
    if ('head' in reply) {
      const key = signed && this.verifier.streamKey(signed.key, signed.proof);
      await sendStream(response, reply, { key, contentType: FRAMES_TYPE });
      return;
    }
    if (response.destroyed) return;
    const { status, body } = reply;
    const code = signed && this.verifier.signAnswer(signed.key, signed.proof, status, body);
    send(response, reply, {
      ...(code === undefined ? {} : { [ANSWER_HEADER]: code }),
      // What is left of a body that was too large is not read.
      ...(request.complete ? {} : { connection: 'close' }),
    });
  }

  private routeOf({ method, url = '/' }: IncomingMessage): PeerRoute | undefined {
    const path = url.split('?')[0];
    return this.deps.routes.find((each) => each.method === method && each.path === path);
  }

  private admit(request: IncomingMessage, route: PeerRoute | undefined): Admission {
    const keys = this.deps.security.keys?.current;
    const said = parseAuthorization(request.headers.authorization);
    if (keys !== undefined && said.kind === 'asking') return this.challenged(said.nonce);
    if (keys !== undefined && said.kind === 'proof') {
      const { method = '', url = '' } = request;
      return this.judge(request, said.proof, this.verifier.verify(keys, method, url, said.proof));
    }
    const isFree =
      route?.needs === 'proof-if-any' && keys === undefined && !this.deps.security.isMutual;
    if (!isFree && !hasVerifiedCertificate(this.deps.security, request)) {
      return this.stranger(
        request,
        'it bears no signature that is made with a secret of this cluster',
      );
    }
    const to = request.headers[TO_HEADER];
    const isForUs = to === undefined || to === this.deps.uid;
    return isForUs
      ? { kind: 'admitted', caller: NOBODY }
      : { kind: 'refused', reply: misdirected() };
  }

  private judge(
    request: IncomingMessage,
    proof: Proof,
    verdict: ReturnType<PeerVerifier['verify']>,
  ): Admission {
    switch (verdict.kind) {
      case 'accepted':
        return { kind: 'admitted', caller: { signed: verdict } };
      case 'stale':
        return this.challenged(proof.nonce);
      case 'other-node':
        return { ...this.challenged(proof.nonce), reply: misdirected() };
      case 'full': {
        const reply = problem(
          429,
          'rate-limited',
          'too many signed requests within 30 s; try again',
        );
        return { kind: 'refused', reply, headers: { 'retry-after': '1' } };
      }
      case 'replayed':
        return this.stranger(request, 'its signature was used before');
      case 'wrong':
        return this.stranger(request, 'its signature was not made with a secret of this cluster');
    }
  }

  /** Says who we are and what our clock shows, signed: who came to the wrong node learns that by it. */
  private challenged(nonce: string): Admission & { readonly kind: 'refused' } {
    const keys = this.deps.security.keys?.current;
    const reply = problem(401, 'unauthorized', 'sign this request with the time of this answer');
    const challenge = keys === undefined ? SCHEME : this.verifier.challenge(keys, nonce);
    return { kind: 'refused', reply, headers: { 'www-authenticate': challenge } };
  }

  private stranger(request: IncomingMessage, why: string): Admission {
    const address = request.socket.remoteAddress ?? '';
    const seconds = this.failures.note(address);
    if (seconds !== undefined) {
      const reply = problem(429, 'rate-limited', 'too many failed attempts from this address');
      return { kind: 'refused', reply, headers: { 'retry-after': String(seconds) } };
    }
    this.deps.logger.warn('a request to the peer endpoint was refused', {
      target: address,
      reason: why,
    });
    const reply = problem(401, 'unauthorized', `the request was refused because ${why}`);
    return { kind: 'refused', reply, headers: { 'www-authenticate': SCHEME } };
  }

  /** Never rejects; what goes wrong is an answer too, and signed. `ended` is aborted at the deadline. */
  private async answer(
    request: IncomingMessage,
    route: PeerRoute | undefined,
    { signed }: Caller,
    ended: AbortController,
  ): Promise<PeerReply | PeerStream> {
    const timer = setTimeout(() => {
      ended.abort(ENDED);
    }, route?.deadlineMs ?? DEADLINE_MS);
    const bytes = announcedBytes(request, route);
    if (this.bodiesBytes + bytes > MAX_BODIES_BYTES) {
      clearTimeout(timer);
      return problem(503, 'busy', 'this agent works on as many bytes as it takes; try again');
    }
    this.bodiesBytes += bytes;
    try {
      const body = await readBody(request, route?.maxBodyBytes ?? 0, ended.signal);
      if (signed !== undefined && sha256(body) !== signed.proof.body) {
        return problem(400, 'body-invalid', 'the body is not the one that was signed');
      }
      if (route === undefined) return problem(404, 'route-not-found', 'no such route for peers');
      const query = new URL(request.url ?? '/', 'http://peer').searchParams;
      return await route.answer({ query, body, from: signed?.proof.from, signal: ended.signal });
    } catch (error) {
      return this.failureOf(request, error);
    } finally {
      this.bodiesBytes -= bytes;
      clearTimeout(timer);
    }
  }

  private failureOf(request: IncomingMessage, error: unknown): PeerReply {
    if (error instanceof BodyTooLarge) return problem(413, 'body-invalid', error.message);
    if (isAppError(error)) return problem(error.status, error.code, error.message);
    const op = `${request.method ?? ''} ${(request.url ?? '').split('?')[0] ?? ''}`;
    this.deps.logger.error('answering a peer failed', { op, err: error, reason: messageOf(error) });
    return problem(500, 'internal', 'answering failed; the log of that agent says why');
  }
}

/** What the body will need: as much as it says, or where it doesn't, as the route takes at most. */
function announcedBytes({ headers }: IncomingMessage, route: PeerRoute | undefined): number {
  const most = route?.maxBodyBytes ?? 0;
  const said = Number(headers['content-length'] ?? most);
  const bytes = Number.isFinite(said) ? Math.min(said, most) : most;
  return bytes <= SMALL_BODY_BYTES ? 0 : bytes;
}

/** To somebody who has the secret, so it may know that it came to the wrong place. */
function misdirected(): PeerReply {
  const detail =
    'this is another node than the one that the request is meant for; its address has changed';
  return problem(421, 'peer-mismatch', detail);
}

function send(
  response: ServerResponse,
  { status, contentType, body }: PeerReply,
  headers: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': body.length,
    'cache-control': 'no-store',
    ...headers,
  });
  response.end(body);
}
