// Wire shapes of events: what happened in a cluster, numbered from 1 without gaps, the last ones kept. Events tell people and
// programs what happened; nothing decides on them. Never holds hashes or credentials (the manager masks them).
import { z } from 'zod';
import { nameField, nodeId, time } from './fields.js';

/** What the manager itself says; nobody else may. */
const MANAGER_KINDS = [
  'node-registered',
  'node-returned',
  'node-lost',
  'node-deregistered',
  'version',
  'rollback',
  'paused',
  'resumed',
  'member',
  'cut',
  'incomplete',
  'complete',
  'order-unsure',
  'adopted',
  'data-given-up',
] as const;

/** What agents tell by `POST /clusters/{cluster}/events` (`forked` and `hold-decided` the manager says too). */
export const REPORTED_KINDS = [
  'forked',
  'join',
  'conflict',
  'hold',
  'hold-decided',
  'guard',
  'restart',
] as const;
export type ReportedKind = (typeof REPORTED_KINDS)[number];

export const EVENT_KINDS = [...MANAGER_KINDS, ...REPORTED_KINDS] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** Longer texts are cut by the manager, so that an event is never refused for its length. */
export const MAX_EVENT_TEXT = 2_000;
/** A larger value (as JSON, in characters) is replaced by `{"omitted-characters": n}`. */
export const MAX_EVENT_VALUE = 8_000;

export const eventSchema = z
  .object({
    id: z.number().int().min(1).describe('per cluster, from 1, without gaps'),
    at: time,
    cluster: z.string(),
    node: nodeId.nullable().describe('the node that it is about, or that tells it'),
    kind: z.string().describe(`one of ${EVENT_KINDS.join(', ')}; more may follow`),
    text: z.string().describe('one sentence for people'),
    before: z.unknown().describe('any JSON, or null'),
    after: z.unknown().describe('any JSON, or null'),
  })
  .meta({ id: 'Event' });
export type EventBody = z.infer<typeof eventSchema>;
/** Oldest first. */
export const eventListSchema = z.array(eventSchema);

export const eventReportSchema = z.object({
  node: nodeId.nullable().describe('the node that tells it, or null'),
  kind: z.enum(REPORTED_KINDS),
  text: z.string().min(1).describe(`one sentence; cut at ${MAX_EVENT_TEXT} characters`),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
  key: nameField('event key')
    .optional()
    .describe('the same key again, while its event is kept, adds nothing'),
});
/** Body of `POST /clusters/{cluster}/events`. */
export type EventReport = z.infer<typeof eventReportSchema>;

/** 201: the id of the event (of the earlier one where the key was known). */
export const eventAnswerSchema = z.object({ id: z.number().int().min(1) });
export type EventAnswer = z.infer<typeof eventAnswerSchema>;

/** Content type of the stream. */
export const EVENT_STREAM_TYPE = 'text/event-stream';
/** Request header of a stream that was cut: the last id that was seen. */
export const LAST_EVENT_ID_HEADER = 'last-event-id';
