// The records of orders, and of what a node holds.
import { z } from 'zod';
import { decisionSchema, heldItemSchema } from '../../shared/api/orders.js';

const pause = z.object({ by: z.string(), at: z.string(), reason: z.string() });

const nodeOrders = z.object({
  paused: pause.optional(),
  approval: z.object({ digest: z.string(), decision: decisionSchema }).optional(),
});
export type NodeOrders = z.infer<typeof nodeOrders>;

/** All orders of a cluster. A pause outlives restarts and deregistrations of its node. */
export const ordersRecord = z.object({
  cluster: pause.nullable(),
  /** By id; only nodes that have an order. */
  nodes: z.record(z.string(), nodeOrders),
});
export type OrdersRecord = z.infer<typeof ordersRecord>;

export const NO_NODE_ORDERS: NodeOrders = {};
export const NO_ORDERS_RECORD: OrdersRecord = { cluster: null, nodes: {} };

/** What a node holds for a person, as its last heartbeat said. */
export const heldRecord = z.object({
  digest: z.string(),
  count: z.number().int(),
  items: z.array(heldItemSchema),
});
export type HeldRecord = z.infer<typeof heldRecord>;
