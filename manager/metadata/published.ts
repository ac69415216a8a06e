// A version as readers and the next writer need it: its name, and its bytes, schema and marks, each loaded once and shared.
import type { VersionTag } from '../../shared/api/version-tag.js';
import { AppError } from '../../shared/errors/app-error.js';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import type { Marks } from '../../shared/meta/marks.js';
import type { Schema } from '../../shared/meta/model.js';
import { readSchema } from '../../shared/meta/snapshot.js';
import type { ClusterKeys } from '../store/keys.js';
import type { Entry, Store } from '../store/port.js';
import { decodeRecord } from '../store/records.js';
import type { BlobStore } from './blob-store.js';
import { decodeMarks } from './marks-record.js';
import { historyRecord, pointerRecord, tagOf, type PointerRecord } from './records.js';

/** What the writer of a version has in hand already. */
export interface Content {
  readonly bytes: Buffer;
  readonly schema: Schema;
  readonly marks: Marks;
}

export interface PublishedDeps {
  readonly keys: ClusterKeys;
  readonly store: Store;
  readonly blobs: BlobStore;
}

export class Published {
  readonly record: PointerRecord;
  readonly tag: VersionTag;
  /** Of the pointer: what the next compare-and-swap compares. */
  readonly modRevision: number;
  private readonly loadedBytes: Once<Buffer>;
  private readonly loadedSchema: Once<Schema>;
  private readonly loadedMarks: Once<Marks>;

  /** @param content given by the writer; else it is loaded when somebody asks */
  constructor(entry: Entry, deps: PublishedDeps, content?: Content) {
    const record = decodeRecord(entry, pointerRecord);
    this.record = record;
    this.tag = tagOf(record);
    this.modRevision = entry.modRevision;
    this.loadedBytes = new Once(() => loadBytes(record, deps), content?.bytes);
    this.loadedSchema = new Once(
      async () => readSchema(decodeSnapshot(await this.bytes())),
      content?.schema,
    );
    this.loadedMarks = new Once(() => loadMarks(record.version, deps), content?.marks);
  }

  /**
   * The snapshot as it was sent; the same buffer for all. Throws AppError `version-not-found` where its chunks were swept,
   * which means that it is not the newest any more.
   */
  bytes(): Promise<Buffer> {
    return this.loadedBytes.get();
  }

  schema(): Promise<Schema> {
    return this.loadedSchema.get();
  }

  marks(): Promise<Marks> {
    return this.loadedMarks.get();
  }
}

/** Loads something once; a failure is not kept. */
class Once<T> {
  private value: Promise<T> | undefined;

  constructor(
    private readonly load: () => Promise<T>,
    known: T | undefined,
  ) {
    if (known !== undefined) this.value = Promise.resolve(known);
  }

  get(): Promise<T> {
    this.value ??= this.load().catch((error: unknown) => {
      this.value = undefined;
      throw error;
    });
    return this.value;
  }
}

async function loadBytes(record: PointerRecord, { keys, blobs }: PublishedDeps): Promise<Buffer> {
  if (record.inline !== undefined) {
    return blobs.expand(Buffer.from(record.inline, 'base64'), record.snapshot);
  }
  const bytes = await blobs.read(keys, record.snapshot);
  if (bytes === undefined) throw notKept(record.version);
  return bytes;
}

/** The marks of a kept version. Throws AppError `version-not-found` where it is not kept (any more). */
export async function loadMarks(
  version: number,
  { keys, store, blobs }: PublishedDeps,
): Promise<Marks> {
  const key = keys.historyOf(version);
  const entry = await store.get(key);
  if (entry === undefined) throw notKept(version);
  const bytes = await blobs.read(keys, decodeRecord(entry, historyRecord).marks);
  if (bytes === undefined) throw notKept(version);
  return decodeMarks(bytes, `${key} (marks)`);
}

/** The error for a version that the store has no more, or never had. */
export function notKept(version: number): AppError {
  return new AppError(
    'version-not-found',
    `version ${version} is not kept; see the history for those that are`,
    { status: 404 },
  );
}
