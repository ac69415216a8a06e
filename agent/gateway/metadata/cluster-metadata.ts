// The cluster's metadata for the data plane: the newest version that the reconciler has looked at, and before a manager has
// answered, what this node was last in line with. It asks nobody by itself; `reach` has the reconciler do so.
import { AppError, isAbort } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { Base } from '../../sync/base.js';
import type { Reconciler, TickReport } from '../../sync/port.js';
import { LIVE_MODE } from '../../sync/port.js';
import type { RemoteState, RemoteView } from '../../sync/remote-view.js';
import { metadataOf, metadataOfBase } from './metadata-of.js';
import type { Metadata, MetadataView } from './port.js';

export interface ClusterMetadataDeps {
  readonly base: () => Base;
  readonly remoteView: Pick<RemoteView, 'state' | 'isKnown' | 'refresh' | 'tag'>;
  readonly reconciler: Pick<Reconciler, 'tick'>;
  /** The newest version that this node was in step with. */
  readonly appliedVersion: () => number;
  /** Told of each tick that was made here. */
  readonly onReport: (report: TickReport) => void;
  readonly clock: Pick<Clock, 'sleep'>;
}

/** What a batch or a statement waits for a version that its sender has and this node has not. */
const REACH_MS = 2_000;
/** Between two ticks of one wait: something else is at work then, a lost swap for one. */
const AGAIN_MS = 20;

export class ClusterMetadata implements MetadataView {
  private known: { readonly of: RemoteState | Base; readonly metadata: Metadata } | undefined;

  constructor(private readonly deps: ClusterMetadataDeps) {}

  get current(): Metadata {
    const of = this.deps.remoteView.state ?? this.deps.base();
    if (this.known?.of !== of) this.known = { of, metadata: read(of) };
    return this.known.metadata;
  }

  /** False before this node has ever heard of its cluster: what exists can't be said then. */
  get isKnown(): boolean {
    return this.deps.remoteView.isKnown || this.deps.base().tag !== undefined;
  }

  async reach(version: number, signal: AbortSignal): Promise<boolean> {
    if (this.deps.appliedVersion() >= version) return true;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(REACH_MS)]);
    try {
      return (await this.apply(version, limit)) >= version;
    } catch (error) {
      if (signal.aborted || !(isAbort(error) || error instanceof AppError)) throw error;
      return false;
    }
  }

  /** Asks the managers for the newest version and applies it. False where none answered in time. */
  async refresh(signal: AbortSignal): Promise<boolean> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(REACH_MS)]);
    try {
      await this.deps.remoteView.refresh(limit);
      const newest = this.deps.remoteView.tag?.version ?? 0;
      return (await this.apply(newest, limit)) >= newest;
    } catch (error) {
      if (signal.aborted || !(isAbort(error) || error instanceof AppError)) throw error;
      return false;
    }
  }

  /** Ticks until this node has applied that version, or the signal ends it; resolves to the version that it has then. */
  async apply(version: number, signal: AbortSignal): Promise<number> {
    const { remoteView, reconciler, appliedVersion, onReport, clock } = this.deps;
    while (appliedVersion() < version && !signal.aborted) {
      if ((remoteView.tag?.version ?? 0) < version) await remoteView.refresh(signal);
      const report = await reconciler.tick(LIVE_MODE, signal);
      onReport(report);
      if (appliedVersion() < version && report.outcome !== 'changed') {
        await clock.sleep(AGAIN_MS, signal);
      }
    }
    return appliedVersion();
  }
}

function read(of: RemoteState | Base): Metadata {
  if ('entries' in of) return metadataOfBase(of);
  const { tag, schema, marks } = of;
  return metadataOf(tag?.version ?? 0, schema.values(), (key) => marks.marks.get(key) ?? 0);
}
