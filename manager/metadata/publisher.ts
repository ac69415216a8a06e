// Writing a version: a compare-and-swap on the cluster's pointer record. An unknown outcome is asked again under the same
// idempotency key until it is definite; it never becomes a false "you lost".
import { randomUUID } from 'node:crypto';
import type { VersionTag } from '../../shared/api/version-tag.js';
import { sameTag } from '../../shared/api/version-tag.js';
import { AppError, isAbort, isAppError } from '../../shared/errors/app-error.js';
import { createBackoff, sleep } from '../../shared/lifecycle/backoff.js';
import { reached } from '../../shared/failpoint/failpoint.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import type { Data } from '../../shared/meta/gen/meta_pb.js';
import type { Schema } from '../../shared/meta/model.js';
import { readSchema } from '../../shared/meta/snapshot.js';
import type { Operation, Store } from '../store/port.js';
import { decodeRecord } from '../store/records.js';
import type { BlobStore, PreparedBlob } from './blob-store.js';
import type { ClusterView } from './cluster-views.js';
import { makeDraft } from './draft.js';
import type { Guard } from './guard.js';
import type { Lineage } from './lineage.js';
import type { Published } from './published.js';
import type { Retention } from './retention.js';
import { tagOf, writeRecord, type Author, type WriteRecord } from './records.js';

/** How long a write may look for a definite outcome: longer than any store's own deadline, shorter than people wait. */
export const WRITE_DEADLINE_MS = 15_000;

export interface WriteRequest {
  /** The version that the writer last saw, 0: none. */
  readonly seenVersion: number;
  /** Its full name, where the writer gave it. */
  readonly ifMatch: VersionTag | undefined;
  readonly bytes: Buffer;
  /** Made here where the writer gave none. */
  readonly idempotencyKey: string | undefined;
  readonly author: Author;
  /** Where no node answers for what is dropped. `approve`: the digest that a person approved. Agents guard themselves. */
  readonly guarded?: { readonly approve: string | undefined };
  /** The first line of the version's changes in words, before what the difference says. */
  readonly note?: string;
}

export type WriteOutcome =
  | { readonly kind: 'accepted'; readonly tag: VersionTag }
  /** Another version stands; undefined: there is no such cluster. `forked`: it has another incarnation than the writer knew. */
  | { readonly kind: 'lost'; readonly newest: Published | undefined; readonly forked: boolean };

export interface PublisherDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly lineage: Lineage;
  readonly retention: Pick<Retention, 'noteWrite'>;
  readonly guard: Pick<Guard, 'admit'>;
  readonly clock: Clock;
}

/** A write with all that is made once for its tries. */
interface Job {
  readonly view: ClusterView;
  readonly request: WriteRequest;
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
  content?: { readonly data: Data; readonly schema: Schema };
  snapshot?: PreparedBlob | undefined;
  /** A swap was lost or its outcome is unknown: from here on the store is asked first. */
  isContested: boolean;
}

export class Publisher {
  constructor(private readonly deps: PublisherDeps) {}

  /**
   * Writes one version. Throws AppError `snapshot-invalid`, `too-many-drops`, `store-unavailable` (nothing was written) or
   * `outcome-unknown` (the same key tells later).
   */
  async write(view: ClusterView, request: WriteRequest, stop: AbortSignal): Promise<WriteOutcome> {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(WRITE_DEADLINE_MS)]);
    const idempotencyKey = request.idempotencyKey ?? randomUUID();
    // The guard judges what the store has, not what the watch told last.
    const isContested = request.guarded !== undefined;
    const job: Job = { view, request, idempotencyKey, signal, isContested };
    const backoff = createBackoff({ initialMs: 20 });
    let isUnknown = false;
    for (;;) {
      try {
        const outcome = await this.attempt(job);
        if (outcome !== undefined) return outcome;
      } catch (error) {
        job.isContested = true;
        if (isAppError(error, 'outcome-unknown')) isUnknown = true;
        else if (isAbort(error)) throw gaveUp(view.name, idempotencyKey, isUnknown);
        else if (!isUnknown || !isAppError(error, 'store-unavailable')) throw error;
      }
      await sleep(backoff.nextDelayMs(), signal).catch(() => {
        throw gaveUp(view.name, idempotencyKey, isUnknown);
      });
    }
  }

  /** What was recorded under a key; undefined: no accepted write has it. */
  async outcome(
    view: ClusterView,
    idempotencyKey: string,
    signal: AbortSignal,
  ): Promise<WriteRecord | undefined> {
    const entry = await this.deps.store.get(view.keys.writeOf(idempotencyKey), { signal });
    return entry === undefined ? undefined : decodeRecord(entry, writeRecord);
  }

  /** One try. undefined: the pointer was moved between the look and the swap (or a blob was swept); look again. */
  private async attempt(job: Job): Promise<WriteOutcome | undefined> {
    const { view, request, signal } = job;
    const expected = view.feed.known;
    if (!job.isContested && request.ifMatch !== undefined && isExpected(expected, request)) {
      // The swap compares digest and revision, so what the watch told last needs no second look.
      const won = await this.swap(job, expected);
      if (won !== undefined) return won;
      job.isContested = true;
    }
    const found = await view.feed.newest();
    const { newest, forked } =
      found === undefined
        ? { newest: undefined, forked: false }
        : await this.deps.lineage.settle(view, found, request.ifMatch, signal);
    if (forked || !isExpected(newest, request)) {
      // Looked up after the pointer: a write of ours that moved the pointer is seen here.
      const earlier = await this.outcome(view, job.idempotencyKey, signal);
      if (earlier !== undefined) return { kind: 'accepted', tag: tagOf(earlier) };
      return { kind: 'lost', newest, forked };
    }
    job.isContested = true;
    return this.swap(job, newest);
  }

  private async swap(job: Job, before: Published | undefined): Promise<WriteOutcome | undefined> {
    const { view, request, signal } = job;
    const { store, blobs, clock } = this.deps;
    job.content ??= readContent(request.bytes);
    const counted = await this.admit(job, job.content.schema, before);
    job.snapshot ??= await blobs.prepare(view.keys, request.bytes, signal);
    const draft = await makeDraft(
      {
        ...request,
        ...job.content,
        keys: view.keys,
        before,
        idempotencyKey: job.idempotencyKey,
        atMs: clock.nowMs(),
        isUnread: !job.isContested,
        snapshot: job.snapshot,
      },
      blobs,
      signal,
    );
    await reached('manager.write.prepared');
    const operations = [...draft.operations, ...counted];
    const result = await store.transact(draft.comparisons, operations, signal);
    if (result.kind === 'refused') {
      // Perhaps the blob's seal is gone (the cluster was deleted meanwhile); the next try puts it again.
      if (job.snapshot.comparisons.length > 0) job.snapshot = undefined;
      return undefined;
    }
    await reached('manager.write.committed');
    const entry = {
      key: view.keys.meta,
      value: draft.pointer,
      createRevision: result.revision,
      modRevision: result.revision,
      leaseId: undefined,
    };
    view.feed.accept(entry, draft.content);
    this.deps.retention.noteWrite(view.name, job.snapshot.ref.stored);
    return { kind: 'accepted', tag: draft.tag };
  }

  /** What the guard counts, to be put by the write's own transaction. Throws AppError `too-many-drops`. */
  private async admit(
    { view, request, signal }: Job,
    after: Schema,
    before: Published | undefined,
  ): Promise<readonly Operation[]> {
    if (request.guarded === undefined || before === undefined) return [];
    const write = { keys: view.keys, before: await before.schema(), after };
    return this.deps.guard.admit(write, request.guarded.approve, signal);
  }
}

function readContent(bytes: Buffer): { data: Data; schema: Schema } {
  const data = decodeSnapshot(bytes);
  return { data, schema: readSchema(data) };
}

function isExpected(newest: Published | undefined, request: WriteRequest): boolean {
  if ((newest?.tag.version ?? 0) !== request.seenVersion) return false;
  return request.ifMatch === undefined || sameTag(newest?.tag, request.ifMatch);
}

function gaveUp(cluster: string, idempotencyKey: string, isUnknown: boolean): AppError {
  return isUnknown
    ? new AppError(
        'outcome-unknown',
        `the store did not say whether the write to cluster ${cluster} was committed; send it again with the same Idempotency-Key, or ask for writes/${idempotencyKey}`,
        { status: 503, retryable: true, retryAfterSeconds: 1 },
      )
    : new AppError(
        'store-unavailable',
        `the write to cluster ${cluster} was not committed in time, because the store is slow or others write all the time; try again`,
        { status: 503, retryable: true, retryAfterSeconds: 1 },
      );
}
