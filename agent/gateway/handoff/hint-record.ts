// The bytes of one hint in a segment, and reading them back. A record that does not match its checksum is never used; where
// the next sound one begins is found by its mark.
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import type { Batch } from '../owner/port.js';

/** A hint as it is kept. */
export interface HintRecord {
  /** Counts the hints of one owner, without gaps. */
  readonly sequence: number;
  /**
   * First sequence of the group of records that was made durable together with this one: everything before it was durable
   * already. So what is missing from there on was never acknowledged.
   */
  readonly groupStart: number;
  /** Wall clock, ms. */
  readonly takenMs: number;
  readonly batch: Batch;
}

/*
 * mark(4) crc32(4) bodyAndHeaderLength(4) sequence(8) groupStart(8) headerLength(4) header(JSON) body
 * The checksum is over everything behind it. All numbers are big-endian.
 */
const MARK = Buffer.from('CFH\x01', 'latin1');
const CRC_AT = 4;
const LENGTH_AT = 8;
const SEQUENCE_AT = 12;
const GROUP_START_AT = 20;
const HEADER_LENGTH_AT = 28;
export const RECORD_OVERHEAD = 32;

/** A batch is at most what the gateway takes at once (25 MB); more is not a record but damage. */
const MOST_BYTES = 256 * 1024 * 1024;

const headerSchema = z.object({
  database: z.string(),
  policy: z.string(),
  precision: z.enum(['n', 'u', 'ms', 's', 'm', 'h']),
  points: z.number(),
  group: z.number(),
  shard: z.number(),
  'database-mark': z.number(),
  'policy-mark': z.number(),
  'placement-version': z.number(),
  'metadata-version': z.number(),
  deletes: z.number(),
  taken: z.number(),
});

/** What a batch weighs in the log, apart from its position in it. */
export interface PackedHint {
  readonly header: Buffer;
  readonly body: Buffer;
  readonly length: number;
}

export function packHint(batch: Batch, takenMs: number): PackedHint {
  const header = Buffer.from(
    JSON.stringify({
      database: batch.database,
      policy: batch.policy,
      precision: batch.precision,
      points: batch.points,
      group: batch.group,
      shard: batch.shard,
      'database-mark': batch.databaseMark,
      'policy-mark': batch.policyMark,
      'placement-version': batch.placementVersion,
      'metadata-version': batch.metadataVersion,
      deletes: batch.deletes,
      taken: takenMs,
    } satisfies z.input<typeof headerSchema>),
  );
  return { header, body: batch.body, length: RECORD_OVERHEAD + header.length + batch.body.length };
}

/** The parts of a record, to be written one behind the other: the body is not copied. */
export function encodeRecord(packed: PackedHint, sequence: number, groupStart: number): Buffer[] {
  const head = Buffer.alloc(RECORD_OVERHEAD);
  MARK.copy(head);
  head.writeUInt32BE(packed.header.length + packed.body.length, LENGTH_AT);
  head.writeBigUInt64BE(BigInt(sequence), SEQUENCE_AT);
  head.writeBigUInt64BE(BigInt(groupStart), GROUP_START_AT);
  head.writeUInt32BE(packed.header.length, HEADER_LENGTH_AT);
  const crc = crc32(packed.body, crc32(packed.header, crc32(head.subarray(LENGTH_AT))));
  head.writeUInt32BE(crc, CRC_AT);
  return [head, packed.header, packed.body];
}

export type Decoded =
  | { readonly kind: 'record'; readonly record: HintRecord; readonly length: number }
  /** More bytes are needed to tell: so many in all. */
  | { readonly kind: 'more'; readonly length: number }
  | { readonly kind: 'damaged' };

/** Reads the record that begins at `bytes[0]`; its body is a view of `bytes`. */
export function decodeRecord(bytes: Buffer): Decoded {
  if (bytes.length < RECORD_OVERHEAD) return { kind: 'more', length: RECORD_OVERHEAD };
  const length = RECORD_OVERHEAD + bytes.readUInt32BE(LENGTH_AT);
  if (!bytes.subarray(0, MARK.length).equals(MARK) || length > MOST_BYTES) {
    return { kind: 'damaged' };
  }
  if (bytes.length < length) return { kind: 'more', length };
  if (crc32(bytes.subarray(LENGTH_AT, length)) !== bytes.readUInt32BE(CRC_AT)) {
    return { kind: 'damaged' };
  }
  const bodyAt = RECORD_OVERHEAD + bytes.readUInt32BE(HEADER_LENGTH_AT);
  const header = readHeader(bytes.subarray(RECORD_OVERHEAD, bodyAt));
  if (header === undefined) return { kind: 'damaged' };
  const record = {
    sequence: Number(bytes.readBigUInt64BE(SEQUENCE_AT)),
    groupStart: Number(bytes.readBigUInt64BE(GROUP_START_AT)),
    takenMs: header.taken,
    batch: batchOf(header, bytes.subarray(bodyAt, length)),
  };
  return { kind: 'record', record, length };
}

/** Where a record may begin at or after `from`; -1 where nothing looks like one. */
export function nextMark(bytes: Buffer, from: number): number {
  return bytes.indexOf(MARK, from);
}

function readHeader(bytes: Buffer): z.output<typeof headerSchema> | undefined {
  try {
    return headerSchema.safeParse(JSON.parse(bytes.toString())).data;
  } catch {
    // It matches its checksum and is no JSON: another release wrote it, or chance. Either way it can't be used.
    return undefined;
  }
}

function batchOf(header: z.output<typeof headerSchema>, body: Buffer): Batch {
  return {
    database: header.database,
    policy: header.policy,
    precision: header.precision,
    body,
    points: header.points,
    group: header.group,
    shard: header.shard,
    databaseMark: header['database-mark'],
    policyMark: header['policy-mark'],
    placementVersion: header['placement-version'],
    metadataVersion: header['metadata-version'],
    deletes: header.deletes,
    isHint: true,
  };
}
