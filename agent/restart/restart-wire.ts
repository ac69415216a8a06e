// What goes over `<state-dir>/agent.sock` for a local `agent apply --restart`.
import { z } from 'zod';
import type { RestartAnswer, RestartRequest } from './restarts.js';

export const restartRequestSchema = z.strictObject({
  way: z.enum(['command', 'signal']).optional(),
  'dry-run': z.boolean().default(false),
});

const objects = z.array(z.string());
const restartAnswerSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('nothing') }),
  z.object({ kind: z.literal('waits'), why: z.string() }),
  z.object({ kind: z.literal('failed'), why: z.string() }),
  z.object({ kind: z.literal('restarted'), objects }),
  z.object({ kind: z.literal('would-restart'), objects }),
]);

export function requestFromWire({
  way,
  'dry-run': dryRun,
}: z.output<typeof restartRequestSchema>): RestartRequest {
  return { way, dryRun };
}

export function requestToWire({ way, dryRun }: RestartRequest) {
  return { ...(way === undefined ? {} : { way }), 'dry-run': dryRun };
}

/** Throws a ZodError for a body that is not an answer. */
export function answerFromWire(body: unknown): RestartAnswer {
  return restartAnswerSchema.parse(body);
}
