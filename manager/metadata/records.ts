// The records of a cluster's metadata: pointer, kept versions, digests, accepted writes.
import { z } from 'zod';
import type { VersionTag } from '../../shared/api/version-tag.js';

const author = z.object({ node: z.number().optional(), user: z.string().optional() });
/** Who wrote a version, as far as the writer said. */
export type Author = z.infer<typeof author>;

/** Where the bytes of a snapshot, or of marks, lie. */
export const blobRef = z.object({
  /** The part of the chunk keys that is this write's own; begins with the time it was made, in ms. */
  id: z.string(),
  chunks: z.number().int(),
  encoding: z.literal('gzip'),
  /** Bytes before and after compression. */
  size: z.number().int(),
  stored: z.number().int(),
});
export type BlobRef = z.infer<typeof blobRef>;

const named = {
  version: z.number().int().min(1),
  incarnation: z.string(),
  digest: z.string(),
};

const versionFields = {
  ...named,
  /** Digest of the version before, empty for the first: `digest` is SHA-256 over this text and the content. */
  previous: z.string(),
  at: z.string(),
  author,
  snapshot: blobRef,
};

/** Which version is the newest. `inline`: its compressed bytes once more, base64, where they are few. */
export const pointerRecord = z.object({
  ...versionFields,
  inline: z.string().optional(),
  /** The highest node id that the snapshot names. */
  maxNodeId: z.number().int(),
});
export type PointerRecord = z.infer<typeof pointerRecord>;

/** A kept version, with its marks. */
export const historyRecord = z.object({
  ...versionFields,
  marks: blobRef,
  /** In words, at most MAX_CHANGES; `changesOmitted` counts the rest. */
  changes: z.array(z.string()),
  changesOmitted: z.number().int(),
});
export type HistoryRecord = z.infer<typeof historyRecord>;

export const digestRecord = z.object({ digest: z.string() });

/** An accepted write, under its idempotency key. */
export const writeRecord = z.object({ ...named, at: z.string() });
export type WriteRecord = z.infer<typeof writeRecord>;

export function tagOf({ incarnation, version, digest }: VersionTag): VersionTag {
  return { incarnation, version, digest };
}
