// Wire shapes of a manager's own state.
import { z } from 'zod';
import { time } from './fields.js';

export const healthSchema = z.object({ status: z.literal('ok') });

export const versionSchema = z.object({
  version: z.string(),
  commit: z.string(),
  node: z.string().describe('the version of Node.js'),
});
export type VersionBody = z.infer<typeof versionSchema>;

export const statusSchema = z.object({
  id: z.string(),
  version: z.string(),
  started: time,
  ready: z.boolean(),
  store: z.object({ location: z.string(), reachable: z.boolean(), detail: z.string() }),
  waiters: z.number().int().describe('readers that wait for a new version'),
});
export type StatusBody = z.infer<typeof statusSchema>;
