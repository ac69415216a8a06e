// Makes a version that is yet to be committed: digest, marks, changes, blobs, and the one transaction that flips the
// pointer. It decides nothing about who wins; the transaction's comparisons do.
import { randomUUID } from 'node:crypto';
import type { VersionTag } from '../../shared/api/version-tag.js';
import { diffSchemas } from '../../shared/meta/diff.js';
import { nextDigest } from '../../shared/meta/digest.js';
import type { Data } from '../../shared/meta/gen/meta_pb.js';
import { NO_MARKS, nextMarks } from '../../shared/meta/marks.js';
import type { Schema } from '../../shared/meta/model.js';
import type { ClusterKeys } from '../store/keys.js';
import type { Comparison, Operation } from '../store/port.js';
import { encodeRecord } from '../store/records.js';
import type { BlobStore, PreparedBlob } from './blob-store.js';
import { encodeMarks } from './marks-record.js';
import type { Content, Published } from './published.js';
import {
  tagOf,
  type Author,
  type HistoryRecord,
  type PointerRecord,
  type WriteRecord,
} from './records.js';

/** The digests of so many versions are kept, so that an agent that was away can be told from a store that went back. */
export const KEPT_DIGESTS = 10_000;

/** The words of a version's changes, at most so many bytes: the history stays quick to list. */
const MAX_CHANGES_BYTES = 64 * 1024;

/** Snapshots can name nodes of other systems; an id that no cluster of ours reaches must not use up the numbers. */
const MAX_NAMED_NODE_ID = 2 ** 31;

export interface DraftInput {
  readonly keys: ClusterKeys;
  /** What the new version replaces; undefined: it is the first. */
  readonly before: Published | undefined;
  readonly bytes: Buffer;
  readonly data: Data;
  readonly schema: Schema;
  readonly author: Author;
  /** See `WriteRequest.note`. */
  readonly note?: string;
  readonly idempotencyKey: string;
  readonly atMs: number;
  /** `before` is what the watch told, not what was just read: the transaction must make sure of its content too. */
  readonly isUnread: boolean;
  /** The snapshot's blob, prepared once for all tries. */
  readonly snapshot: PreparedBlob;
}

export interface Draft {
  readonly tag: VersionTag;
  readonly content: Content;
  /** The pointer's new value. */
  readonly pointer: Buffer;
  readonly comparisons: readonly Comparison[];
  readonly operations: readonly Operation[];
}

/** Throws what loading the version before throws. */
export async function makeDraft(
  input: DraftInput,
  blobs: BlobStore,
  signal: AbortSignal,
): Promise<Draft> {
  const { keys, before, bytes, schema, author, snapshot } = input;
  const at = new Date(input.atMs).toISOString();
  const version = (before?.tag.version ?? 0) + 1;
  const previous = before?.tag.digest ?? '';
  const fields = {
    version,
    incarnation: before?.tag.incarnation ?? randomUUID(),
    digest: nextDigest(previous, bytes),
    previous,
    at,
    author,
    snapshot: snapshot.ref,
  };
  const schemaBefore: Schema = (await before?.schema()) ?? new Map();
  const marks = nextMarks((await before?.marks()) ?? NO_MARKS, schemaBefore, schema, {
    version,
    at,
    ...(author.node === undefined ? {} : { node: author.node }),
  });
  const marksBlob = await blobs.prepare(keys, encodeMarks(marks), signal);
  const pointer = encodeRecord({
    ...fields,
    // What is small enough to be put with the pointer also lies in it, so that a watch event brings readers everything.
    ...(snapshot.operations.length === 0 ? {} : { inline: snapshot.compressed.toString('base64') }),
    maxNodeId: Math.max(before?.record.maxNodeId ?? 0, highestNodeId(input.data)),
  } satisfies PointerRecord);
  const history: HistoryRecord = {
    ...fields,
    marks: marksBlob.ref,
    ...changesInWords(schemaBefore, schema, input.note),
  };
  return {
    tag: tagOf(fields),
    content: { bytes, schema, marks },
    pointer,
    comparisons: [
      before === undefined
        ? { key: keys.meta, is: 'absent' }
        : { key: keys.meta, is: 'at', modRevision: before.modRevision },
      // A store that was restored may show the same revision with another content, but not with the same digest.
      ...(before === undefined || !input.isUnread
        ? []
        : [
            {
              key: keys.digestOf(before.tag.version),
              is: 'equal' as const,
              value: encodeRecord({ digest: before.tag.digest }),
            },
          ]),
      { key: keys.writeOf(input.idempotencyKey), is: 'absent' },
      ...snapshot.comparisons,
      ...marksBlob.comparisons,
    ],
    operations: [
      { put: keys.meta, value: pointer },
      { put: keys.historyOf(version), value: encodeRecord(history) },
      { put: keys.digestOf(version), value: encodeRecord({ digest: fields.digest }) },
      {
        put: keys.writeOf(input.idempotencyKey),
        value: encodeRecord({ ...tagOf(fields), at } satisfies WriteRecord),
      },
      ...(version > KEPT_DIGESTS ? [{ delete: keys.digestOf(version - KEPT_DIGESTS) }] : []),
      ...snapshot.operations,
      ...marksBlob.operations,
    ],
  };
}

function changesInWords(
  before: Schema,
  after: Schema,
  note: string | undefined,
): Pick<HistoryRecord, 'changes' | 'changesOmitted'> {
  const differences = diffSchemas(before, after).map(({ text }) => text);
  const texts = note === undefined ? differences : [note, ...differences];
  let bytes = 0;
  const end = texts.findIndex((text) => (bytes += Buffer.byteLength(text)) > MAX_CHANGES_BYTES);
  const changes = end === -1 ? texts : texts.slice(0, end);
  return { changes, changesOmitted: texts.length - changes.length };
}

/** Ids are never given twice, so those that an imported snapshot names are taken. */
function highestNodeId(data: Data): number {
  let highest = Number(data.MaxNodeID);
  for (const database of data.Databases) {
    for (const policy of database.RetentionPolicies) {
      for (const group of policy.ShardGroups) {
        for (const shard of group.Shards) {
          for (const owner of shard.Owners) highest = Math.max(highest, Number(owner.NodeID));
        }
      }
    }
  }
  return highest < MAX_NAMED_NODE_ID ? highest : 0;
}
