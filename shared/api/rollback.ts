// Wire shapes of a rollback: a new version with the content of an old one.
import { z } from 'zod';
import { incarnation, version } from './fields.js';
import { changeSchema } from './history.js';

const atLeastOne = z.number().int().min(1);

export const rollbackRequestSchema = z
  .object({
    to: atLeastOne.describe('the kept version whose content comes back'),
    expect: atLeastOne.describe('the newest version, as the caller knows it'),
    'dry-run': z.boolean().optional().describe('true: only says what would change'),
    approve: z
      .string()
      .optional()
      .describe('the `digest` of what it drops, where the guard wants it approved'),
  })
  .meta({ id: 'RollbackRequest' });
export type RollbackRequestBody = z.infer<typeof rollbackRequestSchema>;

/** What loses points: a database or policy that goes, or a duration that becomes shorter. */
export const lossSchema = z.object({
  object: z.string().describe('e.g. `retention policy telegraf.week`'),
  change: z.enum(['drop', 'shorten']),
});

export const rollbackSchema = z
  .object({
    version: version.describe('the version that was made; of a dry run the newest'),
    incarnation,
    changes: z.array(changeSchema).describe('from the version before to this one'),
    drops: z.array(lossSchema).describe('which of the changes lose points'),
    digest: z.string().describe('names exactly this list of drops'),
    'needs-approval': z
      .boolean()
      .describe('the guard lets these drops through only with their digest as `approve`'),
    'dry-run': z.boolean().describe('true: nothing was changed'),
  })
  .meta({ id: 'Rollback' });
export type RollbackBody = z.infer<typeof rollbackSchema>;
