// Wire shapes of what became of versions: history, differences, outcomes of writes.
import { z } from 'zod';
import { digest, incarnation, nodeId, time, version } from './fields.js';

export const writeAnswerSchema = z.object({ version, incarnation, digest });
export type WriteAnswer = z.infer<typeof writeAnswerSchema>;

/** What became of a write with a key: only accepted ones are recorded. */
export const writeOutcomeSchema = z.object({ version, incarnation, digest, at: time });
export type WriteOutcome = z.infer<typeof writeOutcomeSchema>;

export const historyEntrySchema = z
  .object({
    version,
    at: time,
    author: z.object({ node: nodeId.optional(), user: z.string().optional() }),
    bytes: z.number().int().describe('of the snapshot as sent'),
    digest,
    changes: z.array(z.string()).describe('e.g. `database telegraf: created`'),
    'changes-omitted': z.number().int().optional().describe('how many more there were'),
  })
  .meta({ id: 'HistoryEntry' });
export type HistoryEntry = z.infer<typeof historyEntrySchema>;
/** Newest first. */
export const historySchema = z.array(historyEntrySchema);

const shownValue = z.record(z.string(), z.unknown());
export const changeSchema = z.object({
  kind: z.enum(['created', 'dropped', 'altered']),
  object: z.string(),
  path: z.array(z.string()),
  before: shownValue.optional(),
  after: shownValue.optional(),
  text: z.string(),
});
export const diffSchema = z
  .object({ from: version, to: version, changes: z.array(changeSchema) })
  .meta({ id: 'Diff' });
export type DiffBody = z.infer<typeof diffSchema>;
