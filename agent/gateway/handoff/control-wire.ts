// What goes over the agent's socket about hints: backlogs and the first hints of one, as JSON.
import { z } from 'zod';
import type { Backlog } from './port.js';

export const backlogSchema = z.object({
  owner: z.string(),
  /** Null: no such node is registered. */
  node: z.number().nullable(),
  records: z.number(),
  points: z.number(),
  bytes: z.number(),
  /** RFC 3339, when the oldest was taken in. */
  oldest: z.string().nullable(),
  groups: z.array(z.number()),
  state: z.enum(['idle', 'draining', 'backing-off', 'stopped']),
  'last-error': z.string().nullable(),
  'bytes-per-second': z.number(),
  'dead-letters': z.number(),
});
export type BacklogBody = z.output<typeof backlogSchema>;

export const backlogListSchema = z.array(backlogSchema);

export const hintSchema = z.object({
  sequence: z.number(),
  taken: z.string(),
  database: z.string(),
  policy: z.string(),
  group: z.number(),
  shard: z.number(),
  points: z.number(),
  bytes: z.number(),
  /** The beginning of its first line. */
  line: z.string(),
});
export type HintBody = z.output<typeof hintSchema>;

export const backlogDetailSchema = backlogSchema.extend({ first: z.array(hintSchema) });
export type BacklogDetail = z.output<typeof backlogDetailSchema>;

/** What was, or would be, given up. */
export const purgedSchema = backlogSchema.extend({ 'dry-run': z.boolean() });
export type PurgedBody = z.output<typeof purgedSchema>;

export function backlogToWire(backlog: Backlog): BacklogBody {
  const { oldestMs } = backlog;
  return {
    owner: backlog.ownerUid,
    node: backlog.node ?? null,
    records: backlog.records,
    points: backlog.points,
    bytes: backlog.bytes,
    oldest: oldestMs === undefined ? null : new Date(oldestMs).toISOString(),
    groups: [...backlog.groups],
    state: backlog.state,
    'last-error': backlog.lastError ?? null,
    'bytes-per-second': backlog.bytesPerSecond,
    'dead-letters': backlog.deadLetters,
  };
}
