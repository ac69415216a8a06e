// What goes over `<state-dir>/agent.sock`: the request of a local `agent sync`, and the tick's report as its answer.
import { z } from 'zod';
import type { ObjectKey } from '../../shared/meta/model.js';
import type { TickMode, TickReport } from '../sync/port.js';

export const syncRequestSchema = z.strictObject({
  mode: z.enum(['both', 'push', 'pull']).default('both'),
  'dry-run': z.boolean().default(false),
  offline: z.boolean().default(false),
});
export type SyncRequest = z.input<typeof syncRequestSchema>;

const objectKey = z.string().transform((key) => key as ObjectKey);

const syncReportSchema = z.object({
  outcome: z.enum(['no-action', 'changed', 'waiting', 'paused', 'blocked', 'failed']),
  sentence: z.string(),
  version: z.number().int(),
  'in-step': z.boolean(),
  pending: z.array(z.object({ object: objectKey, reason: z.string(), remedy: z.string() })),
  held: z.array(
    z.object({
      id: z.string(),
      object: objectKey,
      kind: z.enum(['join', 'guard']),
      why: z.string(),
      command: z.string(),
    }),
  ),
  steps: z.array(
    z.object({
      object: objectKey.optional(),
      direction: z.enum(['push', 'apply', 'note']),
      text: z.string(),
    }),
  ),
});

export function modeFromWire(request: z.output<typeof syncRequestSchema>): TickMode {
  return {
    push: request.mode !== 'pull',
    pull: request.mode !== 'push',
    dryRun: request['dry-run'],
    offline: request.offline,
  };
}

export function modeToWire({ push, pull, dryRun, offline }: TickMode): SyncRequest {
  return { mode: push === pull ? 'both' : push ? 'push' : 'pull', 'dry-run': dryRun, offline };
}

export function reportToWire({ inStep, ...report }: TickReport) {
  return { ...report, 'in-step': inStep };
}

/** Throws a ZodError for a body that is not a report. */
export function reportFromWire(body: unknown): TickReport {
  const { 'in-step': inStep, steps, ...report } = syncReportSchema.parse(body);
  return {
    ...report,
    inStep,
    steps: steps.map(({ object, direction, text }) => ({ object, direction, text })),
  };
}
