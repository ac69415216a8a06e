// The sending side of signed requests: keeps for each receiver its run and the distance of its clock from our own, and
// checks that challenges and answers come from somebody who has the secret.
import { randomBytes } from 'node:crypto';
import type { Clock } from '../lifecycle/clock.js';
import {
  answerCode,
  challengeCode,
  keyThatMade,
  requestCode,
  sha256,
  streamKey,
} from './messages.js';
import type { PeerKeys } from './secret.js';
import type { Proof } from './wire.js';
import { formatProof, parseChallenge } from './wire.js';

export interface SignerOptions {
  /** The uid of who signs; `operator` for commands. */
  readonly uid: string;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** What is known of one receiver. */
interface Receiver {
  readonly boot: string;
  /** Its clock less ours. */
  readonly offsetMs: number;
}

/** More than the nodes of any cluster; the oldest goes, and costs one more challenge. */
const MAX_RECEIVERS = 1_000;

export interface RequestToSign {
  readonly method: string;
  readonly path: string;
  readonly body: Uint8Array;
  /** The uid that it is meant for. */
  readonly to: string;
}

export interface Signed {
  /** The value of `Authorization`. */
  readonly authorization: string;
  readonly proof: Proof;
}

export class PeerSigner {
  private readonly receivers = new Map<string, Receiver>();

  constructor(private readonly options: SignerOptions) {}

  /** Undefined where the receiver's clock is not known: a challenge must be taken first. */
  sign([key]: PeerKeys, { method, path, body, to }: RequestToSign): Signed | undefined {
    const receiver = this.receivers.get(to);
    if (receiver === undefined) return undefined;
    const fields = {
      to,
      from: this.options.uid,
      boot: receiver.boot,
      time: Math.max(0, Math.floor(this.options.clock.monotonicMs() + receiver.offsetMs)),
      nonce: newNonce(),
      body: sha256(body),
    };
    const proof = { ...fields, code: requestCode(key, { method, path, ...fields }) };
    return { authorization: formatProof(proof), proof };
  }

  /**
   * Takes the receiver's run and time from its challenge. `other-node`: it is signed, by another node than the one that is
   * meant; `wrong`: by nobody who has a secret of ours.
   */
  takeChallenge(
    keys: PeerKeys,
    to: string,
    nonce: string,
    header: string | undefined,
  ): 'taken' | 'other-node' | 'wrong' {
    const said = parseChallenge(header);
    if (said === undefined) return 'wrong';
    const { code, from, boot, time } = said;
    const made = (key: Buffer) => challengeCode(key, { nonce, from, boot, time });
    if (keyThatMade(keys, code, made) === undefined) return 'wrong';
    if (from !== to) return 'other-node';
    this.receivers.delete(to);
    this.receivers.set(to, { boot, offsetMs: time - this.options.clock.monotonicMs() });
    if (this.receivers.size > MAX_RECEIVERS) {
      const [oldest] = this.receivers.keys();
      if (oldest !== undefined) this.receivers.delete(oldest);
    }
    return 'taken';
  }

  /** Whether the receiver itself gave this answer to this request. */
  isAnswer(
    keys: PeerKeys,
    { proof }: Signed,
    answer: { readonly code: string; readonly status: number; readonly body: Uint8Array },
  ): boolean {
    const fields = {
      nonce: proof.nonce,
      from: proof.to,
      to: proof.from,
      status: answer.status,
      body: sha256(answer.body),
    };
    return keyThatMade(keys, answer.code, (key) => answerCode(key, fields)) !== undefined;
  }

  /** For the frames of a streamed answer to this request. */
  streamKey([key]: PeerKeys, { proof }: Signed): Buffer {
    return streamKey(key, { nonce: proof.nonce, from: proof.to, to: proof.from });
  }

  forget(to: string): void {
    this.receivers.delete(to);
  }
}

/** 128 bits: never twice. */
export function newNonce(): string {
  return randomBytes(16).toString('base64url');
}
