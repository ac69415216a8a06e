// Rolling a cluster back: the content of a kept version is written once more, as the next version, by the same path as every
// other write. Versions never go backwards, and what comes back is another object than the one that went.
import type { RollbackBody } from '../../shared/api/rollback.js';
import { AppError } from '../../shared/errors/app-error.js';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import { diffSchemas, type Mask } from '../../shared/meta/diff.js';
import { heldDigest, unprovenChanges } from '../../shared/meta/guard-rule.js';
import type { Schema } from '../../shared/meta/model.js';
import { readSchema } from '../../shared/meta/snapshot.js';
import type { ClusterView } from './cluster-views.js';
import { shownLosses, type Guard } from './guard.js';
import type { History } from './history.js';
import type { Published } from './published.js';
import type { Publisher } from './publisher.js';
import { clusterNotFound } from './reader.js';
import type { Author, WriteRecord } from './records.js';

export interface RollbackRequest {
  /** The kept version whose content comes back. */
  readonly to: number;
  /** The newest version, as the caller knows it. */
  readonly expect: number;
  readonly isDryRun: boolean;
  /** The digest of the drops that a person approved. */
  readonly approve: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly author: Author;
}

/** A rollback that was made. */
export interface RolledBack {
  readonly cluster: string;
  readonly from: number;
  readonly to: number;
  readonly version: number;
  readonly author: Author;
}

export interface RollbackDeps {
  readonly publisher: Publisher;
  readonly history: History;
  readonly guard: Guard;
  /** Told of each rollback once, after it was committed. */
  readonly onRollback?: (done: RolledBack) => void;
}

/** How answers are made. */
export interface RollbackOptions {
  readonly mask: Mask;
  readonly signal: AbortSignal;
}

export class Rollback {
  constructor(private readonly deps: RollbackDeps) {}

  /**
   * Rolls back, or says what that would change. Throws AppError `cluster-not-found`, `version-not-found`,
   * `version-conflict` (409: another version than `expect` is the newest), `too-many-drops` (422), and what writing throws.
   */
  async run(
    view: ClusterView,
    request: RollbackRequest,
    options: RollbackOptions,
  ): Promise<RollbackBody> {
    const newest = await view.feed.newest();
    if (newest === undefined) throw clusterNotFound(view.name);
    if (newest.tag.version !== request.expect) {
      const earlier = await this.earlier(view, request, options.signal);
      if (earlier === undefined) throw moved(view.name, request.expect, newest.tag.version);
      return this.madeEarlier(view, earlier, options);
    }
    const { bytes } = await this.deps.history.get(view, request.to, options.signal);
    const before = await newest.schema();
    const after = readSchema(decodeSnapshot(bytes));
    const guarded = { keys: view.keys, before, after };
    const { isHeld } = await this.deps.guard.judge(guarded, options.signal);
    const isSame = request.to === newest.tag.version;
    const tag =
      request.isDryRun || isSame
        ? newest.tag
        : await this.write(view, { request, newest, bytes }, options.signal);
    return {
      version: tag.version,
      incarnation: tag.incarnation,
      ...whatChanges(before, after, options.mask),
      'needs-approval': isHeld && request.isDryRun,
      'dry-run': request.isDryRun,
    };
  }

  private async write(
    view: ClusterView,
    what: { request: RollbackRequest; newest: Published; bytes: Buffer },
    signal: AbortSignal,
  ) {
    const { request, newest, bytes } = what;
    const { to, expect, author, approve, idempotencyKey } = request;
    const outcome = await this.deps.publisher.write(
      view,
      {
        seenVersion: expect,
        ifMatch: newest.tag,
        bytes,
        idempotencyKey,
        author,
        guarded: { approve },
        note: `rolled back to version ${to}`,
      },
      signal,
    );
    if (outcome.kind === 'lost') throw moved(view.name, expect, outcome.newest?.tag.version ?? 0);
    const { version } = outcome.tag;
    this.deps.onRollback?.({ cluster: view.name, from: expect, to, version, author });
    return outcome.tag;
  }

  /** A caller who comes back with its key, because the answer was lost. */
  private async earlier(
    view: ClusterView,
    { idempotencyKey }: RollbackRequest,
    signal: AbortSignal,
  ): Promise<WriteRecord | undefined> {
    if (idempotencyKey === undefined) return undefined;
    return this.deps.publisher.outcome(view, idempotencyKey, signal);
  }

  private async madeEarlier(
    view: ClusterView,
    { version, incarnation }: WriteRecord,
    { mask, signal }: RollbackOptions,
  ): Promise<RollbackBody> {
    const schemaOf = async (each: number) =>
      readSchema(decodeSnapshot((await this.deps.history.get(view, each, signal)).bytes));
    const [before, after] = await Promise.all([schemaOf(version - 1), schemaOf(version)]);
    const changes = whatChanges(before, after, mask);
    return { version, incarnation, ...changes, 'needs-approval': false, 'dry-run': false };
  }
}

function whatChanges(
  before: Schema,
  after: Schema,
  mask: Mask,
): Pick<RollbackBody, 'changes' | 'drops' | 'digest'> {
  const losses = unprovenChanges(before, after);
  return {
    changes: diffSchemas(before, after, mask).map((change) => ({
      ...change,
      path: [...change.path],
    })),
    drops: shownLosses(losses),
    digest: heldDigest(losses),
  };
}

function moved(cluster: string, expected: number, version: number): AppError {
  return new AppError(
    'version-conflict',
    `cluster ${JSON.stringify(cluster)} was not rolled back: its newest version is ${version}, not ${expected}; look at what changed and repeat with "expect": ${version}`,
    { status: 409, details: { version } },
  );
}
