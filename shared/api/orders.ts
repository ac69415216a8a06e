// Wire shapes of what people order a node to do (pause, decide what is held), and of what a node reports as held.
import { z } from 'zod';
import { nodeId, time } from './fields.js';

/** A node reports so many held items at most; `count` says how many there are. */
export const MAX_HELD_ITEMS = 100;

/** Texts of reasons, by people. */
export const MAX_REASON = 500;

export const pauseSchema = z.object({
  scope: z.enum(['node', 'cluster']).describe('what was paused; the cluster where both were'),
  by: z.string().describe('a token name or role, else the address that asked'),
  at: time,
  reason: z.string().describe('empty: none was given'),
});
export type PauseOrder = z.infer<typeof pauseSchema>;

export const decisionSchema = z
  .enum(['keep', 'drop'])
  .describe('keep: the held objects stay and are shared; drop: they go, and held drops are made');
export type Decision = z.infer<typeof decisionSchema>;

export const approvalSchema = z.object({
  digest: z.string().describe('of the held list that it decides; another list is not meant'),
  decision: decisionSchema,
});
export type ApprovalOrder = z.infer<typeof approvalSchema>;

/** In the answers to registrations and heartbeats. An approval stays until the node reports another list, or none. */
export const ordersSchema = z
  .object({ paused: pauseSchema.nullable(), approval: approvalSchema.nullable() })
  .meta({ id: 'Orders' });
export type Orders = z.infer<typeof ordersSchema>;
export const NO_ORDERS: Orders = { paused: null, approval: null };

export const heldItemSchema = z.object({
  id: z.string(),
  object: z.string().describe('e.g. `database telegraf`'),
  why: z.string(),
  command: z.string().describe('what decides it'),
  kind: z.enum(['join', 'guard']),
});
export type HeldItem = z.infer<typeof heldItemSchema>;

const heldDigest = z.string().min(1).max(128).describe('names the list');
const heldCount = z.number().int().min(1);

/** What a node holds, in a heartbeat and of one node. Longer texts in a heartbeat are cut, never refused. */
export const heldListSchema = z
  .object({
    digest: heldDigest,
    count: heldCount,
    items: z.array(heldItemSchema).max(MAX_HELD_ITEMS).describe('the first of them'),
  })
  .meta({ id: 'HeldList' });
export type HeldList = z.infer<typeof heldListSchema>;

/** The same in lists of nodes: without the items. */
export const heldSummarySchema = heldListSchema.partial({ items: true });
export type HeldSummary = z.infer<typeof heldSummarySchema>;

/** Body of `POST …/pause` and `…/resume`. */
export const pauseBodySchema = z.object({
  reason: z.string().max(MAX_REASON).optional().describe('shown to whoever looks'),
});
export type PauseBody = z.infer<typeof pauseBodySchema>;

/** Answer of `POST /nodes/{cluster}/{id}/pause|resume`: what is in force for the node now. */
export const nodePauseAnswerSchema = z.object({
  node: nodeId,
  paused: pauseSchema.nullable().describe('also that of the cluster'),
  'dry-run': z.literal(true).optional().describe('nothing was changed: this is what would be'),
});
export type NodePauseAnswer = z.infer<typeof nodePauseAnswerSchema>;

/** Answer of `POST /clusters/{cluster}/pause|resume`. */
export const clusterPauseAnswerSchema = z.object({
  cluster: z.string(),
  paused: pauseSchema.nullable(),
  'nodes-paused': z.array(nodeId).describe('nodes that are paused by themselves'),
  'dry-run': z.literal(true).optional(),
});
export type ClusterPauseAnswer = z.infer<typeof clusterPauseAnswerSchema>;

/** Body of `POST /nodes/{cluster}/{id}/approve`. */
export const approveBodySchema = z.object({ digest: heldDigest, decision: decisionSchema });
export type ApproveBody = z.infer<typeof approveBodySchema>;

/** 200; with `dry-run` it is what would be let through, and nothing was ordered. */
export const approveAnswerSchema = z.object({
  node: nodeId,
  decision: decisionSchema,
  held: heldListSchema,
  'dry-run': z.literal(true).optional(),
});
export type ApproveAnswer = z.infer<typeof approveAnswerSchema>;
