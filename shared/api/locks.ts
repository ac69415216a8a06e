// Wire shapes of locks: one holder at a time, ended by its TTL when the holder dies, with a number that fences.
import { z } from 'zod';
import { nameField } from './fields.js';

/** etcd grants no lease shorter than this. */
export const MIN_LOCK_TTL_S = 2;
/** A holder that died keeps others waiting for no longer. */
export const MAX_LOCK_TTL_S = 600;

const holder = nameField('holder').describe('who takes it; opaque here');

/** Body of `PUT /clusters/{cluster}/lock/{name}`. The same holder again renews. */
export const lockBodySchema = z.object({
  holder,
  ttl: z
    .number()
    .int()
    .min(MIN_LOCK_TTL_S)
    .max(MAX_LOCK_TTL_S)
    .describe('seconds without a renewal after which it is free again'),
});
export type LockBody = z.infer<typeof lockBodySchema>;

/**
 * 200. `fence`: strictly rising per name, for ever; it stays the same as long as the lock was held without a gap, so another
 * number than before means that it was lost in between.
 */
export const lockAnswerSchema = z
  .object({
    fence: z.number().int().min(1).describe('strictly rising per lock name, for ever'),
    ttl: z.number().int().describe('seconds'),
  })
  .meta({ id: 'Lock' });
export type LockAnswer = z.infer<typeof lockAnswerSchema>;

/** Body, or query, of `DELETE /clusters/{cluster}/lock/{name}`. */
export const unlockSchema = z.object({ holder: holder.optional() });

/** More members of the problem `lock-held` (409). */
export const lockHeldSchema = z.looseObject({
  holder: z.string(),
  'expires-in-ms': z.number().describe('free by then, unless the holder renews it'),
});
