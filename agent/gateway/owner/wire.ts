// Batches, reads and their outcomes as agents send them to each other. What a newer release adds is ignored by an older one;
// what is missing or of another type is refused.
import { z } from 'zod';
import { parsePrecision } from '../../../shared/influx/precision.js';
import type { ApplyOutcome, Batch, ReadOutcome, ReadQuery } from './port.js';

export const WRITE_PATH = '/peer/v1/write';
export const QUERY_PATH = '/peer/v1/query';

/** Of the lines of one batch. influxd takes 25 MB at most, as it comes. */
export const MAX_BATCH_BYTES = 32 * 1024 * 1024;

/** A batch is never sent on by who got it: only what came straight from a gateway, or from its hints, bears this. */
const HOP = '1';

const count = z.coerce.number().int().min(0);

const batchSchema = z.object({
  hop: z.literal(HOP),
  db: z.string(),
  rp: z.string(),
  precision: z.string().transform((text, context) => {
    const precision = parsePrecision(text);
    if (precision === undefined) context.addIssue('no precision of InfluxDB');
    return precision ?? 'n';
  }),
  points: count,
  group: count,
  shard: count,
  'database-mark': count,
  'policy-mark': count,
  placement: count,
  metadata: count,
  deletes: count,
  hint: z.enum(['0', '1']),
});

/** The path with all of a batch but its lines, which are the body. */
export function batchToPath(batch: Batch): string {
  const query = new URLSearchParams({
    hop: HOP,
    db: batch.database,
    rp: batch.policy,
    precision: batch.precision,
    points: String(batch.points),
    group: String(batch.group),
    shard: String(batch.shard),
    'database-mark': String(batch.databaseMark),
    'policy-mark': String(batch.policyMark),
    placement: String(batch.placementVersion),
    metadata: String(batch.metadataVersion),
    deletes: String(batch.deletes),
    hint: batch.isHint ? '1' : '0',
  });
  return `${WRITE_PATH}?${query.toString()}`;
}

/** Undefined where it is no batch. */
export function batchFromQuery(query: URLSearchParams, body: Buffer): Batch | undefined {
  const parsed = batchSchema.safeParse(Object.fromEntries(query));
  if (!parsed.success) return undefined;
  const { data } = parsed;
  return {
    database: data.db,
    policy: data.rp,
    precision: data.precision,
    body,
    points: data.points,
    group: data.group,
    shard: data.shard,
    databaseMark: data['database-mark'],
    policyMark: data['policy-mark'],
    placementVersion: data.placement,
    metadataVersion: data.metadata,
    deletes: data.deletes,
    isHint: data.hint === '1',
  };
}

const number = z.number().int().min(0);
const applyOutcomeSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('applied') }),
  z.object({ kind: z.literal('refused'), text: z.string(), dropped: number }),
  z.object({ kind: z.literal('gone'), why: z.string() }),
  z.object({ kind: z.literal('stale'), 'placement-version': number, 'metadata-version': number }),
  z.object({ kind: z.literal('deletes'), deletes: number }),
  z.object({ kind: z.literal('catching-up') }),
  z.object({ kind: z.literal('too-large') }),
  z.object({ kind: z.literal('failed'), why: z.string(), held: z.boolean().optional() }),
]);

export function applyOutcomeToWire(outcome: ApplyOutcome): object {
  if (outcome.kind === 'failed') {
    const { kind, why, isHeld } = outcome;
    return { kind, why, held: isHeld };
  }
  if (outcome.kind !== 'stale') return outcome;
  const { kind, placementVersion, metadataVersion } = outcome;
  return { kind, 'placement-version': placementVersion, 'metadata-version': metadataVersion };
}

/** An answer of a kind that this release does not know is passing: nothing is known to be applied. */
export function applyOutcomeFromWire(body: Buffer): ApplyOutcome {
  const parsed = applyOutcomeSchema.safeParse(jsonOf(body));
  if (!parsed.success) return { kind: 'failed', why: 'it gave an answer that is not understood' };
  const { data } = parsed;
  if (data.kind === 'failed') {
    const { kind, why, held } = data;
    return { kind, why, ...(held === true ? { isHeld: true } : {}) };
  }
  if (data.kind !== 'stale') return data;
  return {
    kind: 'stale',
    placementVersion: data['placement-version'],
    metadataVersion: data['metadata-version'],
  };
}

const text = z.string().optional();
const readSchema = z.object({
  hop: z.literal(1),
  statement: z.string(),
  database: text,
  policy: text,
  epoch: text,
  chunked: z.boolean(),
  'chunk-size': z.number().int().optional(),
  pretty: z.boolean(),
  accept: text,
  params: text,
  groups: z.array(number),
  placement: number,
  metadata: number,
  deletes: number,
});

export function readToWire(read: ReadQuery): Buffer {
  const { chunkSize, placementVersion, metadataVersion, ...rest } = read;
  const wire: z.input<typeof readSchema> = {
    ...rest,
    groups: [...read.groups],
    hop: 1,
    'chunk-size': chunkSize,
    placement: placementVersion,
    metadata: metadataVersion,
  };
  return Buffer.from(JSON.stringify(wire));
}

/** Undefined where it is no read. */
export function readFromWire(body: Buffer): ReadQuery | undefined {
  const parsed = readSchema.safeParse(jsonOf(body));
  if (!parsed.success) return undefined;
  const { data } = parsed;
  return {
    statement: data.statement,
    database: data.database,
    policy: data.policy,
    epoch: data.epoch,
    chunked: data.chunked,
    chunkSize: data['chunk-size'],
    pretty: data.pretty,
    accept: data.accept,
    params: data.params,
    groups: data.groups,
    placementVersion: data.placement,
    metadataVersion: data.metadata,
    deletes: data.deletes,
  };
}

const openedSchema = z.object({
  kind: z.literal('opened'),
  status: number,
  'content-type': z.string(),
  error: text,
});
const notOpenedSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('behind'), why: z.string(), 'retry-after-ms': number }),
  z.object({ kind: z.literal('failed'), why: z.string() }),
]);

type Opened = Extract<ReadOutcome, { kind: 'opened' }>;

export function openedToWire({ status, contentType, error }: Opened): object {
  return { kind: 'opened', status, 'content-type': contentType, error };
}

/** The head of a streamed answer; undefined where it is none. */
export function openedFromWire(head: unknown): Omit<Opened, 'body'> | undefined {
  const parsed = openedSchema.safeParse(head);
  if (!parsed.success) return undefined;
  const { status, error } = parsed.data;
  return { kind: 'opened', status, contentType: parsed.data['content-type'], error };
}

export function notOpenedToWire(outcome: Exclude<ReadOutcome, Opened>): object {
  if (outcome.kind === 'failed') return outcome;
  const { kind, why, retryAfterMs } = outcome;
  return { kind, why, 'retry-after-ms': retryAfterMs };
}

export function notOpenedFromWire(body: Buffer): Exclude<ReadOutcome, Opened> {
  const parsed = notOpenedSchema.safeParse(jsonOf(body));
  if (!parsed.success) return { kind: 'failed', why: 'it gave an answer that is not understood' };
  const { data } = parsed;
  if (data.kind === 'failed') return data;
  return { kind: 'behind', why: data.why, retryAfterMs: data['retry-after-ms'] };
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // Not JSON: the schema refuses undefined.
    return undefined;
  }
}
