// One cluster inside the fake manager: versions by compare-and-swap, digests, incarnations, marks, idempotency keys.
// Synchronous and without I/O, so that property tests run thousands of interleavings; it knows no faults and no waiting.
import type { VersionTag } from '../../shared/api/version-tag.js';
import { sameTag } from '../../shared/api/version-tag.js';
import { isAppError } from '../../shared/errors/app-error.js';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import { nextDigest } from '../../shared/meta/digest.js';
import type { Marks } from '../../shared/meta/marks.js';
import { NO_MARKS, nextMarks } from '../../shared/meta/marks.js';
import type { Schema } from '../../shared/meta/model.js';
import { readSchema } from '../../shared/meta/snapshot.js';
import type { RemoteSnapshot, WriteRequest, WriteResult } from './port.js';

/** One accepted write. */
export interface FakeVersion {
  readonly tag: VersionTag;
  readonly bytes: Buffer;
  readonly schema: Schema;
  readonly marks: Marks;
  readonly nodeId: number | undefined;
  readonly idempotencyKey: string;
}

/** What a cluster that does not exist answers: version 0, no incarnation, no bytes. */
export const NO_CLUSTER: RemoteSnapshot = {
  tag: { incarnation: '', version: 0, digest: '' },
  bytes: Buffer.alloc(0),
  forked: false,
};

export class FakeCluster {
  private versions: FakeVersion[] = [];
  private incarnation: string;

  constructor(
    private readonly options: {
      /** A fresh incarnation; called when the cluster is made and each time its store went back. */
      readonly newIncarnation: () => string;
      /** RFC 3339 time of a version, for tombstones. */
      readonly timeOf: (version: number) => string;
    },
  ) {
    this.incarnation = options.newIncarnation();
  }

  get newest(): FakeVersion | undefined {
    return this.versions.at(-1);
  }

  /** Every accepted write that the store still has, oldest first. */
  get history(): readonly FakeVersion[] {
    return this.versions;
  }

  /**
   * The newest snapshot for a reader who has seen `seen`; undefined where that is the newest. A tag that is not in this
   * cluster's line gives the cluster a new incarnation first, as the manager does.
   */
  read(seen: VersionTag | undefined): RemoteSnapshot | undefined {
    const forked = this.judge(seen);
    const current = this.snapshot(forked);
    return !forked && sameTag(seen, current.tag) ? undefined : current;
  }

  write(request: WriteRequest): WriteResult {
    const earlier = this.outcome(request.idempotencyKey);
    if (earlier) return { kind: 'accepted', tag: earlier };
    const seenNothing = request.seen === undefined || request.seen.version === 0;
    const forked = this.judge(seenNothing ? undefined : request.seen);
    const before = this.newest;
    const isNext = seenNothing ? before === undefined : sameTag(request.seen, before?.tag);
    if (forked || !isNext) return { kind: 'lost', newest: this.snapshot(forked) };
    const content = readContent(request.bytes);
    if (content.kind === 'refused') return content;
    return { kind: 'accepted', tag: this.append(request, content.schema).tag };
  }

  /** The tag under which a write with this key was accepted. */
  outcome(idempotencyKey: string): VersionTag | undefined {
    return this.versions.find((version) => version.idempotencyKey === idempotencyKey)?.tag;
  }

  marks(version: number): Marks | undefined {
    if (version === 0) return NO_MARKS;
    return this.versions.find(({ tag }) => tag.version === version)?.marks;
  }

  /** The store was restored from a backup: versions above `version` were never written. */
  goBackTo(version: number): void {
    this.versions = this.versions.filter(({ tag }) => tag.version <= version);
  }

  /** True where `seen` is not in this cluster's line (another incarnation counts, but makes no new one). */
  private judge(seen: VersionTag | undefined): boolean {
    if (seen === undefined || seen.version === 0) return false;
    if (seen.incarnation !== this.incarnation) return true;
    const mine = this.versions.find(({ tag }) => tag.version === seen.version);
    if (mine?.tag.digest === seen.digest) return false;
    this.renew();
    return true;
  }

  private renew(): void {
    const incarnation = this.options.newIncarnation();
    this.incarnation = incarnation;
    this.versions = this.versions.map((one) => ({ ...one, tag: { ...one.tag, incarnation } }));
  }

  private append(request: WriteRequest, schema: Schema): FakeVersion {
    const before = this.newest;
    const version = (before?.tag.version ?? 0) + 1;
    const bytes = Buffer.from(request.bytes);
    const digest = nextDigest(before?.tag.digest, bytes);
    const made: FakeVersion = {
      tag: { incarnation: this.incarnation, version, digest },
      bytes,
      schema,
      marks: nextMarks(before?.marks ?? NO_MARKS, before?.schema ?? new Map(), schema, {
        version,
        at: this.options.timeOf(version),
        ...(request.nodeId === undefined ? {} : { node: request.nodeId }),
      }),
      nodeId: request.nodeId,
      idempotencyKey: request.idempotencyKey,
    };
    this.versions.push(made);
    return made;
  }

  private snapshot(forked: boolean): RemoteSnapshot {
    const current = this.newest;
    return current ? { tag: current.tag, bytes: current.bytes, forked } : NO_CLUSTER;
  }
}

function readContent(
  bytes: Uint8Array,
): { kind: 'schema'; schema: Schema } | Extract<WriteResult, { kind: 'refused' }> {
  try {
    return { kind: 'schema', schema: readSchema(decodeSnapshot(bytes)) };
  } catch (error) {
    // The manager answers 400 with this code; to the agent that is a value. Anything else is a fault of this fake.
    if (!isAppError(error, 'snapshot-invalid')) throw error;
    return { kind: 'refused', code: error.code, detail: error.message };
  }
}
