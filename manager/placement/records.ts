// The records of a cluster's placement: the pointer, numbered deletes, silence. The groups of a database are one blob, named
// by the pointer and never changed; so one swap of the pointer shows all of a change, or nothing.
import { z } from 'zod';
import type { BlobRef } from '../metadata/records.js';

const id = z.number().int();

/** Database, and its blob: id, chunks, bytes before and after compression. Short, because there may be thousands. */
const databaseEntry = z.tuple([z.string(), z.string(), id, id, id]);
export type DatabaseEntry = z.infer<typeof databaseEntry>;

export const placementPointer = z.object({
  version: id.min(1),
  /** The cluster's when this was written; '' where there was no metadata yet. */
  incarnation: z.string(),
  at: z.string(),
  members: z.array(id),
  /** Nodes that are registered and do not count, because they were silent for too long. */
  out: z.array(id),
  /** So many nodes have registered that groups may be made. */
  begun: z.boolean(),
  deletes: id,
  nextGroup: id,
  nextShard: id,
  /** Group and the version at which its cut was announced, for cuts that do not count yet. */
  announced: z.array(z.tuple([id, id])),
  databases: z.array(databaseEntry),
});
export type PlacementPointer = z.infer<typeof placementPointer>;

export function blobOf([, blob, chunks, size, stored]: DatabaseEntry): BlobRef {
  return { id: blob, chunks, encoding: 'gzip', size, stored };
}

export function entryOf(database: string, ref: BlobRef): DatabaseEntry {
  return [database, ref.id, ref.chunks, ref.size, ref.stored];
}

export const deleteRecord = z.object({
  number: id.min(1),
  database: z.string(),
  databaseMark: id,
  statement: z.string(),
  at: z.string(),
  /** Its idempotency key. */
  key: z.string(),
});
export type DeleteRecord = z.infer<typeof deleteRecord>;

export const deleteKeyRecord = z.object({ number: id.min(1) });

/** Node id and since when no heartbeat of it counted, as the caretaker saw it. */
export const silenceRecord = z.object({ since: z.record(z.string(), z.string()) });

export const behindRecord = z.object({ at: z.string() });
