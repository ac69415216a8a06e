// The receiving side of signed requests: is this from somebody who has the cluster's secret, for this run of this agent,
// made just now, and not here before? Time is its own monotonic clock alone, so nobody's clock needs to be right.
import { randomBytes } from 'node:crypto';
import type { Clock } from '../lifecycle/clock.js';
import type { Challenge } from './messages.js';
import {
  answerCode,
  challengeCode,
  keyThatMade,
  requestCode,
  sha256,
  streamKey,
} from './messages.js';
import { Nonces } from './nonces.js';
import type { PeerKeys } from './secret.js';
import type { Proof } from './wire.js';
import { formatChallenge } from './wire.js';

export interface VerifierOptions {
  /** The uid of this agent. */
  readonly uid: string;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Nonces that are kept at most; beyond, requests are refused. */
  readonly maxNonces?: number;
}

/** How old a request may be: beyond the slowest connection that is worth waiting for. */
export const WINDOW_MS = 30_000;

/** Clients run behind, by the way of the challenge, never ahead but by the drift of their clock; then they ask again. */
const AHEAD_MS = 2_000;

/** 12,000 requests a second over the whole window (each small write of a client is one), some 40 MB. */
const MAX_NONCES = 400_000;

/**
 * `wrong`: not made with a secret of ours, or altered. `other-node`: for another uid. `stale`: for an earlier run or too
 * old, the client shall take a challenge. `replayed`: was here before. `full`: too many within the window.
 */
export type Verdict =
  | { readonly kind: 'accepted'; readonly key: Buffer; readonly proof: Proof }
  | { readonly kind: 'wrong' | 'other-node' | 'stale' | 'replayed' | 'full' };

export class PeerVerifier {
  /** Of this run: what was signed for another one is never accepted. */
  private readonly boot = randomBytes(16).toString('base64url');
  private readonly startedMs: number;
  private readonly nonces: Nonces;

  constructor(private readonly options: VerifierOptions) {
    this.startedMs = options.clock.monotonicMs();
    this.nonces = new Nonces({
      windowMs: WINDOW_MS + AHEAD_MS,
      max: options.maxNonces ?? MAX_NONCES,
    });
  }

  /** The body is not here yet: its digest is signed, and the caller compares it once the body was read. */
  verify(keys: PeerKeys, method: string, path: string, proof: Proof): Verdict {
    const { code, ...fields } = proof;
    const key = keyThatMade(keys, code, (each) => requestCode(each, { method, path, ...fields }));
    if (key === undefined) return { kind: 'wrong' };
    if (proof.to !== this.options.uid) return { kind: 'other-node' };
    const nowMs = this.timeMs;
    const isCurrent = proof.time >= nowMs - WINDOW_MS && proof.time <= nowMs + AHEAD_MS;
    if (proof.boot !== this.boot || !isCurrent) return { kind: 'stale' };
    const memory = this.nonces.remember(proof.nonce, proof.time, nowMs);
    if (memory === 'full') return { kind: 'full' };
    return memory === 'seen' ? { kind: 'replayed' } : { kind: 'accepted', key, proof };
  }

  /** The value of `WWW-Authenticate`, signed over the client's nonce by the key that signs. */
  challenge([key]: PeerKeys, nonce: string): string {
    const challenge: Challenge = {
      nonce,
      from: this.options.uid,
      boot: this.boot,
      time: this.timeMs,
    };
    return formatChallenge({ ...challenge, code: challengeCode(key, challenge) });
  }

  /** The value of the answer's header. The key is the request's: the client is known to have that one. */
  signAnswer(key: Buffer, proof: Proof, status: number, body: Uint8Array): string {
    const { uid } = this.options;
    const answer = { nonce: proof.nonce, from: uid, to: proof.from, status, body: sha256(body) };
    return answerCode(key, answer);
  }

  /** For the frames of a streamed answer. */
  streamKey(key: Buffer, proof: Proof): Buffer {
    return streamKey(key, { nonce: proof.nonce, from: this.options.uid, to: proof.from });
  }

  /** Since this run began, whole milliseconds. */
  private get timeMs(): number {
    return Math.floor(this.options.clock.monotonicMs() - this.startedMs);
  }
}
