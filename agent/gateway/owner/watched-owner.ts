// This node as an owner, as long as it is known which influxd it has: after a start of influxd nothing is written and nothing
// read before its shards were looked at, and what was opened on an influxd that has ended since is not handed on.
import { NOT_LOOKED, type OwnShards } from '../placement/own-shards.js';
import type { LocalOwner } from './local-owner.js';
import type { ApplyOutcome, Batch, ReadOutcome, ReadQuery } from './port.js';

export interface WatchedOwnerDeps {
  readonly owner: Pick<LocalOwner, 'apply' | 'read'>;
  readonly ownShards: Pick<OwnShards, 'isAdopted' | 'lookedAt'>;
  readonly gate: { noteInfluxdAway(): void };
}

/** That takes a fraction of a second. */
const NOT_LOOKED_RETRY_MS = 250;

export class WatchedOwner {
  constructor(private readonly deps: WatchedOwnerDeps) {}

  /** As LocalOwner's. A lost shard that is written to is made anew, and would pass for the one that had its points. */
  async apply(batch: Batch, signal: AbortSignal): Promise<ApplyOutcome> {
    const { owner, ownShards } = this.deps;
    // What this server brought along is to be the cluster's before anything is written beside it.
    if (!ownShards.isAdopted) return { kind: 'failed', why: 'it has not joined yet' };
    if (ownShards.lookedAt === undefined) {
      // This one becomes a hint somewhere, so that hints come first afterwards.
      this.deps.gate.noteInfluxdAway();
      return { kind: 'failed', why: NOT_LOOKED };
    }
    return owner.apply(batch, signal);
  }

  /** As LocalOwner's. */
  async read(query: ReadQuery, signal: AbortSignal): Promise<ReadOutcome> {
    const run = this.deps.ownShards.lookedAt;
    const outcome = await this.deps.owner.read(query, signal);
    // Of groups it says itself what it lacks; other statements need no shard.
    if (query.groups.length === 0 || outcome.kind !== 'opened') return outcome;
    if (run !== undefined && this.deps.ownShards.lookedAt === run) return outcome;
    outcome.body.destroy();
    return { kind: 'behind', why: NOT_LOOKED, retryAfterMs: NOT_LOOKED_RETRY_MS };
  }
}
