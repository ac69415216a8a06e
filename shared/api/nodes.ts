// Wire shapes of the registry: registering, heartbeats, lists of nodes and managers.
import { z } from 'zod';
import { counter64, incarnation, nodeId, time, version } from './fields.js';
import { nameFault, NAME_RULE } from './names.js';
import { heldListSchema, heldSummarySchema, ordersSchema, pauseSchema } from './orders.js';

/** Long enough for any host name or address, short enough to keep records small. */
const shortText = z.string().min(1).max(255);
/** A uid or session: made by the agent, opaque here. */
const token = z.string().refine((text) => nameFault(text) === undefined, NAME_RULE);
const textMap = z.record(z.string().max(255), z.string().max(1_000));

/** The running influxd: two live uids that name the same one are refused. */
export const influxdSchema = z.object({
  'cluster-id': counter64,
  term: counter64,
  index: counter64,
  started: z.string().max(100).describe("influxd's own start time, as its diagnostics give it"),
});

export const registerBodySchema = z.object({
  hostname: shortText.optional().describe('where absent, the address the request came from'),
  ips: z
    .array(shortText)
    .max(100)
    .optional()
    .describe('where absent, the address the request came from'),
  'bind-address': shortText
    .optional()
    .describe(
      'the advertised peer address, host:port; where absent, as before, else of the request',
    ),
  uid: token.optional().describe('made once and kept; without it each registration is a new node'),
  session: token.optional().describe('new at each start of the agent'),
  'previous-session': token.optional().describe('the last session that a manager confirmed'),
  candidates: z.array(token).max(1_000).optional().describe('sessions noted before registering'),
  versions: textMap
    .optional()
    .describe('e.g. {"agent": "0.1.0", "influxd": "1.6.7"}; where absent, as before'),
  labels: textMap.optional().describe('where absent, as before'),
  influxd: influxdSchema.optional(),
});
export type RegisterBody = z.infer<typeof registerBodySchema>;

export const registerAnswerSchema = z
  .object({
    id: nodeId,
    cluster: z.string(),
    ttl: z
      .number()
      .describe('seconds without a heartbeat after which the node counts as not alive'),
    'heartbeat-interval': z.number().describe('seconds'),
    version: version.describe("the cluster's newest metadata version, 0: none"),
    incarnation,
    orders: ordersSchema.optional().describe('absent: of an older manager, which has none'),
  })
  .meta({ id: 'Registered' });
export type RegisterAnswer = z.infer<typeof registerAnswerSchema>;

export const heartbeatBodySchema = z.object({
  uid: token.optional(),
  session: token.optional(),
  version: version.optional().describe('the metadata version that is applied'),
  state: z.string().max(255).optional().describe('one word, e.g. `in-step`'),
  influxd: influxdSchema.optional(),
  pending: z.number().int().min(0).optional().describe('differences that cannot be applied now'),
  hints: z
    .array(z.object({ owner: nodeId, bytes: z.number().int().min(0) }))
    .max(10_000)
    .optional()
    .describe('held for other nodes'),
  held: heldListSchema.optional().describe('waits for a person; absent: nothing does'),
});
export type HeartbeatBody = z.infer<typeof heartbeatBodySchema>;

export const heartbeatAnswerSchema = z
  .object({
    ttl: z.number().describe('seconds'),
    version,
    incarnation,
    'placement-version': version,
    'registry-revision': z.number().int().min(0).describe('changes when nodes come, go or move'),
    orders: ordersSchema.optional().describe('absent: of an older manager, which has none'),
  })
  .meta({ id: 'HeartbeatAnswer' });
export type HeartbeatAnswer = z.infer<typeof heartbeatAnswerSchema>;

export const nodeSchema = z
  .object({
    id: nodeId,
    cluster: z.string(),
    uid: z.string().optional(),
    hostname: z.string(),
    ip: z.string().describe('comma-separated'),
    'bind-address': z.string(),
    alive: z.boolean(),
    'last-seen': time,
    version,
    state: z.string(),
    labels: textMap,
    versions: textMap,
    pending: z.number().int().min(0),
    hints: z.array(z.object({ owner: nodeId, bytes: z.number() })),
    influxd: influxdSchema.optional(),
    behind: z
      .array(nodeId)
      .optional()
      .describe('nodes that hold hints for it and could not tell it; absent: none'),
    paused: pauseSchema
      .nullable()
      .optional()
      .describe('ordered; null or absent: not. `state` tells whether the node obeys already'),
    held: heldSummarySchema
      .nullable()
      .optional()
      .describe('what waits for a person, as last reported; with its items for one node alone'),
  })
  .meta({ id: 'Node' });
export type NodeBody = z.infer<typeof nodeSchema>;

export const managerSchema = z
  .object({
    id: z.string(),
    hostname: z.string(),
    ip: z.string().describe('comma-separated'),
    'bind-address': z.string(),
    alive: z.boolean(),
    version: z.string().describe('of the program'),
  })
  .meta({ id: 'Manager' });
export type ManagerBody = z.infer<typeof managerSchema>;

export const nodeListSchema = z.array(nodeSchema);
export const registrySchema = z.object({ cflux: z.array(managerSchema), influx: nodeListSchema });
export type RegistryBody = z.infer<typeof registrySchema>;
