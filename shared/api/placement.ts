// Wire shapes of the placement: which nodes keep which shard of which shard group; and of the calls that change it.
import { z } from 'zod';
import { formatTime, parseTime } from '../influx/time.js';
import type { Cut, Owner, PlacedGroup, PlacedShard, Placement } from '../placement/model.js';
import { incarnation, nameField, nodeId, time, version } from './fields.js';

const id = z.number().int().min(1);
/** With up to nine digits of the second's fraction. */
const instant = z
  .string()
  .refine((text) => parseTime(text) !== undefined, 'must be an RFC 3339 time')
  .describe('RFC 3339, up to nanoseconds');
const why = z.string().min(1).max(1_000).describe('one sentence');

const ownerSchema = z.object({
  node: nodeId,
  incomplete: z
    .object({ since: time, why: z.string() })
    .optional()
    .describe('it may lack points, so it answers no reads'),
  'order-unsure-since': time.optional(),
});

const cutSchema = z.object({
  at: instant,
  confirmed: z.array(nodeId),
  counts: z.boolean().describe('all members have confirmed it'),
});

const shardSchema = z.object({ id, owners: z.array(ownerSchema).min(1) });

export const groupSchema = z.object({
  id,
  database: z.string(),
  policy: z.string(),
  'database-mark': version,
  'policy-mark': version,
  start: instant,
  end: instant.describe('exclusive'),
  cut: cutSchema.optional(),
  adopted: z.literal(true).optional().describe('came with a server that had data: only read'),
  shards: z.array(shardSchema).min(1),
});
export type GroupBody = z.infer<typeof groupSchema>;

export const placementSchema = z
  .object({
    version,
    incarnation,
    members: z.array(nodeId).describe('the nodes that count, ascending'),
    deletes: z.number().int().min(0).describe('number of the newest numbered delete; 0: none'),
    groups: z.array(groupSchema),
  })
  .meta({ id: 'Placement' });
export type PlacementBody = z.infer<typeof placementSchema>;

/** Body of `POST /clusters/{cluster}/placement/groups`. */
export const wantedGroupsSchema = z
  .array(z.object({ database: z.string(), policy: z.string(), time: instant }))
  .min(1)
  .max(1_000);
export type WantedGroups = z.infer<typeof wantedGroupsSchema>;

export const completenessSchema = z.object({
  node: nodeId,
  groups: z
    .union([z.array(id).max(100_000), z.literal('all')])
    .describe('ids, or all of its groups'),
  complete: z.boolean().describe('true only by an operator'),
  why: why.optional().describe('asked for where it is not complete'),
  'order-unsure': z
    .boolean()
    .optional()
    .describe('true: the older of two values for one series and time may stand there'),
});
export type CompletenessBody = z.infer<typeof completenessSchema>;

export const truncateSchema = z.object({
  database: z.string().optional().describe('absent: all'),
  policy: z.string().optional().describe('absent: all'),
  at: instant.optional().describe('at least `placement.cut-lead` (2 minutes) ahead; absent: then'),
});
export type TruncateBody = z.infer<typeof truncateSchema>;

export const confirmSchema = z.object({
  node: nodeId,
  version: version.describe('this node knows all cuts up to this version of the placement'),
});
export type ConfirmBody = z.infer<typeof confirmSchema>;

export const adoptSchema = z.object({
  node: nodeId,
  groups: z
    .array(z.object({ database: z.string(), policy: z.string(), start: instant, end: instant }))
    .max(10_000),
});
export type AdoptBody = z.infer<typeof adoptSchema>;

export const deleteBodySchema = z.object({
  database: nameField('database'),
  statement: z
    .string()
    .min(1)
    .max(100_000)
    .describe('DELETE, DROP SERIES or DROP MEASUREMENT, now() resolved'),
});

export const deleteAnswerSchema = z
  .object({ number: z.number().int().min(1) })
  .meta({ id: 'NumberedDelete' });

/** One numbered delete. */
export const numberedDeleteSchema = z.object({
  number: z.number().int().min(1),
  database: z.string(),
  'database-mark': version,
  statement: z.string(),
  at: time,
});
export type NumberedDelete = z.infer<typeof numberedDeleteSchema>;

export const deletesSchema = z.array(numberedDeleteSchema).meta({ id: 'NumberedDeletes' });

/** Of a body that `placementSchema` accepted. */
export function placementFromWire(body: PlacementBody): Placement {
  const { version: number, incarnation: line, members, deletes, groups } = body;
  return {
    version: number,
    incarnation: line,
    members,
    deletes,
    groups: groups.map(groupFromWire),
  };
}

export function placementToWire(placement: Placement): PlacementBody {
  const { version: number, incarnation: line, members, deletes, groups } = placement;
  return {
    version: number,
    incarnation: line,
    members: [...members],
    deletes,
    groups: groups.map(groupToWire),
  };
}

/** Of a body that `groupSchema` accepted. */
export function groupFromWire(body: GroupBody): PlacedGroup {
  return {
    id: body.id,
    database: body.database,
    policy: body.policy,
    databaseMark: body['database-mark'],
    policyMark: body['policy-mark'],
    startNs: instantOf(body.start),
    endNs: instantOf(body.end),
    ...(body.cut === undefined ? {} : { cut: cutFromWire(body.cut) }),
    ...(body.adopted === true ? { isAdopted: true } : {}),
    shards: body.shards.map(shardFromWire),
  };
}

export function groupToWire(group: PlacedGroup): GroupBody {
  const { id: number, database, policy, databaseMark, policyMark, startNs, endNs } = group;
  return {
    id: number,
    database,
    policy,
    'database-mark': databaseMark,
    'policy-mark': policyMark,
    start: formatTime(startNs),
    end: formatTime(endNs),
    ...(group.cut === undefined ? {} : { cut: cutToWire(group.cut) }),
    ...(group.isAdopted === true ? { adopted: true } : {}),
    shards: group.shards.map(({ id: shard, owners }) => ({
      id: shard,
      owners: owners.map(ownerToWire),
    })),
  };
}

function shardFromWire({ id: shard, owners }: GroupBody['shards'][number]): PlacedShard {
  return { id: shard, owners: owners.map(ownerFromWire) };
}

function ownerFromWire(body: z.infer<typeof ownerSchema>): Owner {
  const { node, incomplete } = body;
  const since = body['order-unsure-since'];
  return {
    node,
    ...(incomplete === undefined ? {} : { incomplete }),
    ...(since === undefined ? {} : { orderUnsureSince: since }),
  };
}

function ownerToWire({ node, incomplete, orderUnsureSince }: Owner): z.infer<typeof ownerSchema> {
  return {
    node,
    ...(incomplete === undefined ? {} : { incomplete }),
    ...(orderUnsureSince === undefined ? {} : { 'order-unsure-since': orderUnsureSince }),
  };
}

function cutFromWire({ at, confirmed, counts }: z.infer<typeof cutSchema>): Cut {
  return { atNs: instantOf(at), confirmed, counts };
}

function cutToWire({ atNs, confirmed, counts }: Cut): z.infer<typeof cutSchema> {
  return { at: formatTime(atNs), confirmed: [...confirmed], counts };
}

/** Checked by the schema already. */
function instantOf(text: string): bigint {
  return parseTime(text) ?? 0n;
}
