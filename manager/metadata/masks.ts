// Short keyed digests that stand for password hashes and user info in URLs: equal secrets show as equal, and nothing more.
// The key lies in the store, so that all managers give the same digests.
import { createHmac, randomBytes } from 'node:crypto';
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import type { Mask } from '../../shared/meta/diff.js';
import type { Keys } from '../store/keys.js';
import type { Store } from '../store/port.js';

const KEY_BYTES = 32;
/** 48 bits: enough to tell a cluster's users apart by eye. */
const SHOWN_DIGITS = 12;
const MAX_TRIES = 3;

export class Masks {
  private key: Buffer | undefined;

  constructor(private readonly deps: { readonly store: Store; readonly keys: Keys }) {}

  async mask(signal: AbortSignal): Promise<Mask> {
    const key = (this.key ??= await this.loadOrMake(signal));
    return (secret) =>
      `hmac:${createHmac('sha256', key).update(secret).digest('hex').slice(0, SHOWN_DIGITS)}`;
  }

  private async loadOrMake(signal: AbortSignal): Promise<Buffer> {
    const { store, keys } = this.deps;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const entry = await store.get(keys.maskKey, { signal });
      if (entry !== undefined) return entry.value;
      const put = { put: keys.maskKey, value: randomBytes(KEY_BYTES) };
      try {
        await store.transact([{ key: keys.maskKey, is: 'absent' }], [put], signal);
      } catch (error) {
        // Whoever made it, ours or another manager's, it is read in the next round.
        if (!isAppError(error, 'outcome-unknown')) throw error;
      }
    }
    throw new AppError('store-unavailable', 'the key for masking secrets could not be made', {
      status: 503,
      retryable: true,
    });
  }
}
