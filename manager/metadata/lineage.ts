// Whether a version that a caller knows is in the cluster's line. One that is not means that the store went back in time
// (a restored backup): the cluster then gets a new incarnation, so that every agent joins anew and nothing is dropped.
import { randomUUID } from 'node:crypto';
import type { VersionTag } from '../../shared/api/version-tag.js';
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import type { Logger } from '../../shared/log/logger.js';
import type { Store } from '../store/port.js';
import { decodeRecord, encodeRecord } from '../store/records.js';
import type { ClusterView } from './cluster-views.js';
import type { Published } from './published.js';
import { digestRecord, historyRecord } from './records.js';

/** `other-incarnation`: of an earlier life of this cluster, or forked already; `broken`: the store went back. */
export type Judgement = 'in-line' | 'other-incarnation' | 'broken';

export interface LineageDeps {
  readonly store: Store;
  readonly logger: Logger;
  /** Told of each new incarnation once, after it was committed. */
  readonly onFork?: (cluster: string, forked: Forked) => void;
}

export interface Forked {
  readonly before: VersionTag;
  /** What the caller knew, and the store has not. */
  readonly known: VersionTag;
  readonly incarnation: string;
}

/** More tries than managers that could fork one cluster at the same time. */
const MAX_FORK_TRIES = 10;

export class Lineage {
  constructor(private readonly deps: LineageDeps) {}

  /**
   * The newest version after `known` was judged against it; `forked` where `known` is not in its line, and then the cluster
   * has another incarnation than the caller knows.
   */
  async settle(
    view: ClusterView,
    newest: Published,
    known: VersionTag | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly newest: Published | undefined; readonly forked: boolean }> {
    if (known === undefined) return { newest, forked: false };
    let current: Published | undefined = newest;
    for (let tries = 0; tries < MAX_FORK_TRIES; tries++) {
      const judgement = await this.judge(view, current, known, signal);
      if (judgement === 'in-line') return { newest: current, forked: false };
      if (judgement === 'other-incarnation') return { newest: current, forked: true };
      await this.fork(view, current, known, signal);
      current = await view.feed.newest();
      if (current === undefined) return { newest: undefined, forked: true };
    }
    throw new AppError(
      'store-unavailable',
      `cluster ${view.name} could not be given a new incarnation, because others change it all the time; try again`,
      { status: 503, retryable: true },
    );
  }

  private async judge(
    { keys }: ClusterView,
    newest: Published,
    known: VersionTag,
    signal: AbortSignal,
  ): Promise<Judgement> {
    const { tag } = newest;
    if (known.incarnation !== tag.incarnation) return 'other-incarnation';
    if (known.version > tag.version) return 'broken';
    if (known.version === tag.version) return known.digest === tag.digest ? 'in-line' : 'broken';
    const kept = await this.deps.store.get(keys.digestOf(known.version), { signal });
    // Older than all kept digests: it can't be judged, and reading the newest does no harm.
    if (kept === undefined) return 'in-line';
    return decodeRecord(kept, digestRecord).digest === known.digest ? 'in-line' : 'broken';
  }

  /** Gives the cluster a new incarnation by compare-and-swap; same version, same content. */
  private async fork(
    { keys, name }: ClusterView,
    newest: Published,
    known: VersionTag,
    signal: AbortSignal,
  ): Promise<void> {
    const incarnation = randomUUID();
    const historyKey = keys.historyOf(newest.tag.version);
    const kept = await this.deps.store.get(historyKey, { signal });
    const operations = [
      { put: keys.meta, value: encodeRecord({ ...newest.record, incarnation }) },
      ...(kept === undefined
        ? []
        : [
            {
              put: historyKey,
              value: encodeRecord({ ...decodeRecord(kept, historyRecord), incarnation }),
            },
          ]),
    ];
    try {
      const { kind } = await this.deps.store.transact(
        [{ key: keys.meta, is: 'at', modRevision: newest.modRevision }],
        operations,
        signal,
      );
      if (kind === 'refused') return;
    } catch (error) {
      // The caller reads again and sees whether it went through.
      if (isAppError(error, 'outcome-unknown')) return;
      throw error;
    }
    this.deps.logger.warn('the store went back in time, the cluster has a new incarnation', {
      cluster: name,
      metaVersion: newest.tag.version,
      knownVersion: known.version,
      incarnation,
    });
    this.deps.onFork?.(name, { before: newest.tag, known, incarnation });
  }
}
