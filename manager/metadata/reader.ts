// Reading the newest version, with long poll: first a linearizable get, then, only where the reader has it already, a wait.
import type { VersionTag } from '../../shared/api/version-tag.js';
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import type { ClusterView } from './cluster-views.js';
import type { Lineage } from './lineage.js';
import type { Published } from './published.js';
import { isNews, type Wait } from './waiters.js';

export interface ReadRequest {
  /** The newest version that the reader has seen, applied or not; 0: none. */
  readonly seenVersion: number;
  /** Its full name, where the reader gave it. */
  readonly known: VersionTag | undefined;
  /** 0: answer at once. */
  readonly waitMs: number;
  /** Called when the reader begins to wait, so that its going away can end it. May throw to refuse. */
  readonly onWait: (begin: () => Wait) => Wait;
}

export type ReadOutcome =
  | {
      readonly kind: 'snapshot';
      readonly published: Published;
      readonly bytes: Buffer;
      /** What the reader knows is not in this cluster's line. */
      readonly forked: boolean;
    }
  | { readonly kind: 'unchanged' };

/** Blobs are swept an hour after another version took over, so being overtaken twice while reading one is already odd. */
const MAX_LOADS = 3;

export class Reader {
  constructor(private readonly deps: { readonly lineage: Lineage }) {}

  /** Throws AppError `cluster-not-found` for a reader that has seen a version, `store-unavailable`. */
  async read(view: ClusterView, request: ReadRequest, signal: AbortSignal): Promise<ReadOutcome> {
    const { seenVersion: version, known, waitMs } = request;
    const seen = { version, incarnation: known?.incarnation };
    const found = await view.feed.newest();
    if (found === undefined && version > 0) throw clusterNotFound(view.name);
    if (found !== undefined) {
      const { newest, forked } = await this.deps.lineage.settle(view, found, known, signal);
      if (newest === undefined) throw clusterNotFound(view.name);
      if (forked || isNews(newest, seen)) return loaded(view, newest, forked);
    }
    if (waitMs === 0) return { kind: 'unchanged' };
    const wait = request.onWait(() => view.feed.wait(seen, waitMs));
    const end = await wait.end;
    if (end.kind === 'ended') return { kind: 'unchanged' };
    if (end.published === undefined) throw clusterNotFound(view.name);
    const isOther = known !== undefined && known.incarnation !== end.published.tag.incarnation;
    return loaded(view, end.published, isOther);
  }

  /** The newest version with its bytes; undefined: no such cluster. For those who lost a write. */
  async newest(view: ClusterView): Promise<{ published: Published; bytes: Buffer } | undefined> {
    const published = await view.feed.newest();
    return published === undefined ? undefined : loaded(view, published, false);
  }
}

async function loaded(
  view: ClusterView,
  published: Published,
  forked: boolean,
): Promise<Extract<ReadOutcome, { kind: 'snapshot' }>> {
  let candidate: Published | undefined = published;
  for (let loads = 1; ; loads++) {
    try {
      return { kind: 'snapshot', published: candidate, bytes: await candidate.bytes(), forked };
    } catch (error) {
      // A missing chunk: another version has taken over meanwhile, so the read starts anew.
      if (!isAppError(error, 'version-not-found') || loads === MAX_LOADS) throw error;
      candidate = await view.feed.newest();
      if (candidate === undefined) throw clusterNotFound(view.name);
    }
  }
}

export function clusterNotFound(cluster: string): AppError {
  return new AppError(
    'cluster-not-found',
    `there is no cluster ${JSON.stringify(cluster)} here; GET /clusters lists those that are`,
    { status: 404 },
  );
}
