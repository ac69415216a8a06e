// The cluster as the agent last heard of it: the newest snapshot, decoded, with its marks. Filled by the long poll, by the
// agent's own writes and by the answers that lost a swap; whoever asks gets one consistent version.
import type { VersionTag } from '../../shared/api/version-tag.js';
import { sameTag } from '../../shared/api/version-tag.js';
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import { nextDigest } from '../../shared/meta/digest.js';
import type { Data } from '../../shared/meta/gen/meta_pb.js';
import type { Marks } from '../../shared/meta/marks.js';
import { NO_MARKS, nextMarks } from '../../shared/meta/marks.js';
import type { Schema } from '../../shared/meta/model.js';
import { emptyData, readSchema } from '../../shared/meta/snapshot.js';
import type { ManagerApi, ReadResult, RemoteSnapshot } from '../manager-api/port.js';

/** One version of the cluster. Without a tag: no such cluster (yet, or any more). */
export interface RemoteState {
  readonly tag: VersionTag | undefined;
  readonly data: Data;
  readonly schema: Schema;
  readonly marks: Marks;
}

const ABSENT: RemoteState = {
  tag: undefined,
  data: emptyData(),
  schema: new Map(),
  marks: NO_MARKS,
};

export class RemoteView {
  private newest: RemoteSnapshot | 'absent' | undefined;
  private decoded: RemoteState = ABSENT;

  /** @param remembered the version that the state directory names: what a process before this one last saw */
  constructor(
    private readonly api: Pick<ManagerApi, 'read' | 'marks'>,
    private readonly cluster: string,
    private readonly remembered: () => VersionTag | undefined = () => undefined,
  ) {}

  /** The newest version heard of; undefined before the first answer, or where there is no such cluster. */
  get tag(): VersionTag | undefined {
    return typeof this.newest === 'object' ? this.newest.tag : undefined;
  }

  /** The newest version that was looked at whole; undefined before the first one. */
  get state(): RemoteState | undefined {
    return this.decoded.tag === undefined ? undefined : this.decoded;
  }

  /** False until a manager has answered once. */
  get isKnown(): boolean {
    return this.newest !== undefined;
  }

  /** Takes in an answer; true where it brought another version than the one known. */
  receive(result: ReadResult): boolean {
    if (result.kind === 'unchanged') {
      if (this.newest !== undefined) return false;
      this.newest = 'absent';
      return true;
    }
    if (result.kind === 'cluster-not-found') {
      const isNews = this.newest !== 'absent';
      this.newest = 'absent';
      return isNews;
    }
    return this.receiveSnapshot(result.snapshot);
  }

  /** The same for the answer to a write. An empty body with version 0 means that the cluster does not exist. */
  receiveSnapshot(snapshot: RemoteSnapshot): boolean {
    if (isOlder(snapshot.tag, this.tag)) return false;
    const isNews = !sameTag(this.tag, snapshot.tag);
    this.newest = snapshot.tag.version === 0 ? 'absent' : snapshot;
    return isNews;
  }

  /** The version that this agent's own accepted write made of the one decoded last. */
  acceptOwn(own: {
    readonly tag: VersionTag;
    readonly bytes: Buffer;
    readonly data: Data;
    readonly schema: Schema;
  }): void {
    const { tag, bytes, data, schema } = own;
    if (isOlder(tag, this.tag)) return;
    const before = this.decoded;
    this.newest = { tag, bytes, forked: false };
    if ((before.tag?.version ?? 0) + 1 !== tag.version) return;
    const marks = nextMarks(before.marks, before.schema, schema, {
      version: tag.version,
      at: new Date().toISOString(),
    });
    this.decoded = { tag, data, schema, marks };
  }

  /** Asks for the newest version now; true where it is another one. */
  async refresh(signal: AbortSignal): Promise<boolean> {
    return this.receive(await this.ask(0, signal));
  }

  /**
   * Asks for a version after the newest one heard of. The first question names the version that is remembered, so that a
   * store which went back and then past its number, while this agent did not run, is found out by its digest.
   */
  async ask(waitMs: number, signal: AbortSignal): Promise<ReadResult> {
    if (!this.isKnown) {
      const seen = this.remembered();
      const judged = seen && (await this.api.read(this.cluster, { seen, waitMs: 0, signal }));
      if (judged !== undefined && judged.kind !== 'unchanged') return judged;
    }
    return await this.api.read(this.cluster, { seen: this.tag, waitMs, signal });
  }

  /** The newest version, whole. Throws `manager-unreachable` where its marks had to be asked for and nobody answered. */
  async load(signal: AbortSignal): Promise<RemoteState> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const newest = this.newest;
      if (newest === undefined)
        throw new AppError('manager-unreachable', NOT_HEARD, { retryable: true });
      if (newest === 'absent') return (this.decoded = ABSENT);
      if (sameTag(this.decoded.tag, newest.tag)) return this.decoded;
      const state = await this.decode(newest, signal);
      if (state !== undefined) return (this.decoded = state);
      await this.refresh(signal);
    }
    throw new AppError(
      'manager-unreachable',
      'the cluster changed faster than its marks could be read',
      { retryable: true },
    );
  }

  private async decode(
    snapshot: RemoteSnapshot,
    signal: AbortSignal,
  ): Promise<RemoteState | undefined> {
    const data = decodeSnapshot(snapshot.bytes);
    const schema = readSchema(data);
    const marks = isSuccessor(this.decoded.tag, snapshot)
      ? nextMarks(this.decoded.marks, this.decoded.schema, schema, {
          version: snapshot.tag.version,
          at: new Date().toISOString(),
        })
      : await this.marksOf(snapshot.tag.version, signal);
    return marks && { tag: snapshot.tag, data, schema, marks };
  }

  private async marksOf(version: number, signal: AbortSignal): Promise<Marks | undefined> {
    try {
      return await this.api.marks(this.cluster, version, signal);
    } catch (error) {
      // Superseded so often meanwhile that its marks are no longer kept: the newest version is asked for instead.
      if (isAppError(error, 'version-not-found')) return undefined;
      throw error;
    }
  }
}

/** An answer that was overtaken by another one on its way: within a line versions only grow. */
function isOlder(tag: VersionTag, known: VersionTag | undefined): boolean {
  return known?.incarnation === tag.incarnation && tag.version < known.version;
}

const MAX_ATTEMPTS = 5;
const NOT_HEARD = 'no manager has answered yet, so the state of the cluster is not known';

/**
 * True where the digest proves that `snapshot` came directly after the version decoded last: then its marks follow from
 * those (the same pure function runs in the manager), and a request is saved on the way of every change.
 */
function isSuccessor(known: VersionTag | undefined, { tag, bytes }: RemoteSnapshot): boolean {
  return (
    known !== undefined &&
    known.incarnation === tag.incarnation &&
    known.version + 1 === tag.version &&
    nextDigest(known.digest, bytes) === tag.digest
  );
}
