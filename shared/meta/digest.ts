// The digest line of a cluster: each version's digest covers the one before it, so that two contents under one number,
// or a store that went back in time, can't hide.
import { createHash } from 'node:crypto';

/** SHA-256, hex, over the text of the digest before it (nothing for the first version) and the snapshot's bytes. */
export function nextDigest(previous: string | undefined, content: Uint8Array): string {
  return createHash('sha256')
    .update(previous ?? '')
    .update(content)
    .digest('hex');
}
