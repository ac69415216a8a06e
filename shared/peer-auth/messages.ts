// What is signed between agents, format v1: a request, the answer to it, and the challenge that tells a client the server's
// time. Pure: it makes and checks codes, and knows neither clocks nor memory.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { PeerKeys } from './secret.js';

/** Everything of a request that a receiver acts on. What is not here (other headers) must not decide anything. */
export interface SignedRequest {
  readonly method: string;
  /** With the query, as on the wire. */
  readonly path: string;
  /** SHA-256 of the body, hex. */
  readonly body: string;
  /** The uid of the agent that it is meant for. */
  readonly to: string;
  /** The uid of the agent that sends it, or `operator` for a command. */
  readonly from: string;
  /** Used once. */
  readonly nonce: string;
  /** Milliseconds of the receiver's own clock, as `boot` counts them. */
  readonly time: number;
  /** The run of the receiver that it is meant for. */
  readonly boot: string;
}

export interface SignedAnswer {
  /** Of the request that it answers. */
  readonly nonce: string;
  /** The uids of who answers, and of who asked. */
  readonly from: string;
  readonly to: string;
  readonly status: number;
  /** SHA-256 of the body, hex. */
  readonly body: string;
}

/** Says which run of which agent this is, and what its clock shows: signed over the client's nonce. */
export interface Challenge {
  readonly nonce: string;
  readonly from: string;
  readonly boot: string;
  readonly time: number;
}

export const EMPTY_BODY = sha256(Buffer.alloc(0));

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function requestCode(key: Buffer, request: SignedRequest): string {
  const { method, path, body, to, from, nonce, time, boot } = request;
  return codeOf(key, 'request', [method, path, body, to, from, nonce, time, boot]);
}

export function answerCode(key: Buffer, { nonce, from, to, status, body }: SignedAnswer): string {
  return codeOf(key, 'answer', [nonce, from, to, status, body]);
}

/** The key for the frames of a streamed answer: of this request alone, so that no frame passes for one of another answer. */
export function streamKey(
  key: Buffer,
  { nonce, from, to }: Pick<SignedAnswer, 'nonce' | 'from' | 'to'>,
): Buffer {
  const text = JSON.stringify(['clusterflux-v1', 'stream', nonce, from, to]);
  return createHmac('sha256', key).update(text).digest();
}

export function challengeCode(key: Buffer, { nonce, from, boot, time }: Challenge): string {
  return codeOf(key, 'challenge', [nonce, from, boot, time]);
}

/** The key under which `make` gives this code; undefined where none does. All keys are tried, however soon one fits. */
export function keyThatMade(
  keys: PeerKeys,
  code: string,
  make: (key: Buffer) => string,
): Buffer | undefined {
  return keys.filter((key) => isSameCode(make(key), code))[0];
}

/** In a time that does not tell how much of them is the same. */
function isSameCode(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** JSON keeps the fields apart whatever is in them; the kind keeps one kind of message from passing for another. */
function codeOf(key: Buffer, kind: string, fields: readonly (string | number)[]): string {
  const text = JSON.stringify(['clusterflux-v1', kind, ...fields]);
  return createHmac('sha256', key).update(text).digest('base64url');
}
