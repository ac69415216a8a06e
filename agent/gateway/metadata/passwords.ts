// Passwords that travel beside a statement: sealed on their way to peers, kept in memory only, and only as long as a peer
// may need to bring a user into being by a statement. Nothing of them is logged or written.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { PeerKeys } from '../../../shared/peer-auth/secret.js';

/** The text behind a hash that the cluster has. */
export interface KnownPassword {
  readonly user: string;
  /** The bcrypt hash that it stands for. */
  readonly hash: string;
  readonly text: string;
}

export const sealedPasswordSchema = z.object({
  user: z.string(),
  hash: z.string(),
  /** Base64: 12 bytes of nonce, 16 of tag, the rest is the text. Without a cluster's secret (mutual TLS): the text itself. */
  sealed: z.string().optional(),
  text: z.string().optional(),
});
export type SealedPassword = z.infer<typeof sealedPasswordSchema>;

/** A user arrives within seconds; a node that was away so long goes by the restart procedure. */
const KEPT_MS = 10 * 60_000;
/** Nobody makes so many users in ten minutes but by mistake. */
const MAX_KEPT = 10_000;

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PURPOSE = 'clusterflux passwords beside statements v1';

export class KnownPasswords {
  private readonly kept = new Map<string, { readonly text: string; readonly untilMs: number }>();

  constructor(private readonly clock: Pick<Clock, 'monotonicMs'>) {}

  note({ user, hash, text }: KnownPassword): void {
    const nowMs = this.clock.monotonicMs();
    for (const [key, { untilMs }] of this.kept) {
      if (untilMs > nowMs && this.kept.size < MAX_KEPT) break;
      this.kept.delete(key);
    }
    this.kept.set(keyOf(user, hash), { text, untilMs: nowMs + KEPT_MS });
  }

  /** The text behind a user's hash, where it was told within the last ten minutes. */
  textOf(user: string, hash: string): string | undefined {
    const known = this.kept.get(keyOf(user, hash));
    return known !== undefined && known.untilMs > this.clock.monotonicMs() ? known.text : undefined;
  }
}

/** For peers that share the cluster's secret; with mutual TLS alone the channel itself protects it. */
export function seal(
  { user, hash, text }: KnownPassword,
  keys: PeerKeys | undefined,
): SealedPassword {
  if (keys === undefined) return { user, hash, text };
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', sealingKey(keys[0]), nonce);
  cipher.setAAD(Buffer.from(keyOf(user, hash)));
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return {
    user,
    hash,
    sealed: Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64'),
  };
}

/** Undefined where none of our secrets opens it. */
export function unseal(
  { user, hash, sealed, text }: SealedPassword,
  keys: PeerKeys | undefined,
): KnownPassword | undefined {
  if (sealed === undefined) return text === undefined ? undefined : { user, hash, text };
  const bytes = Buffer.from(sealed, 'base64');
  for (const key of keys ?? []) {
    const opened = open(bytes, sealingKey(key), Buffer.from(keyOf(user, hash)));
    if (opened !== undefined) return { user, hash, text: opened };
  }
  return undefined;
}

function open(bytes: Buffer, key: Buffer, bound: Buffer): string | undefined {
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES));
  decipher.setAAD(bound);
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  try {
    const body = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([body, decipher.final()]).toString('utf8');
  } catch {
    // Made with another key, or changed on its way: it opens nothing.
    return undefined;
  }
}

function sealingKey(key: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', PURPOSE, 32));
}

function keyOf(user: string, hash: string): string {
  return JSON.stringify([user, hash]);
}
