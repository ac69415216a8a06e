// The records of locks.
import { z } from 'zod';

/** Lies under the lease that it names. */
export const lockRecord = z.object({
  holder: z.string(),
  fence: z.number().int(),
  lease: z.string(),
  ttlSeconds: z.number().int(),
});
export type LockRecord = z.infer<typeof lockRecord>;

/** Kept for ever: the last number that was given. */
export const fenceRecord = z.object({ fence: z.number().int() });
