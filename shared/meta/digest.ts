// The digest line of a cluster: each version's digest covers the one before it, so that two contents under one number,
// or a store that went back in time, can't hide.
import { createHash } from 'node:crypto';

/** What the first version's digest is computed over as "the digest before it". */
export const FIRST_DIGEST = '0'.repeat(64);

/** SHA-256, hex, over the previous digest's text and the snapshot's bytes. */
export function nextDigest(previous: string | undefined, content: Uint8Array): string {
  return createHash('sha256')
    .update(previous ?? FIRST_DIGEST)
    .update(content)
    .digest('hex');
}
