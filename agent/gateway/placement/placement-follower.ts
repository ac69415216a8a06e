// The placement of the cluster as this agent last heard of it: follows the managers by long poll, keeps it on disk, has
// missing groups made, and confirms cuts. While no manager answers, the last one heard counts.
import { readFile } from 'node:fs/promises';
import {
  placementFromWire,
  placementSchema,
  placementToWire,
} from '../../../shared/api/placement.js';
import { AppError, isAbort, messageOf } from '../../../shared/errors/app-error.js';
import { writeFileAtomically } from '../../../shared/lifecycle/atomic-file.js';
import { sleep } from '../../../shared/lifecycle/backoff.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { PlacedGroup, Placement } from '../../../shared/placement/model.js';
import { NO_PLACEMENT } from '../../../shared/placement/model.js';
import type { PlacementApi } from '../../manager-api/placement-api.js';
import type { Metadata } from '../metadata/port.js';
import { PlacementIndex } from './placement-index.js';
import type { GroupWanted, PlacementView } from './port.js';

export interface PlacementFollowerDeps {
  readonly api: PlacementApi;
  /** `<state-dir>/placement.json`. */
  readonly path: string;
  readonly metadata: () => Metadata;
  readonly nodeId: () => number | undefined;
  /** `agent.long-poll`. */
  readonly longPollMs: number;
  /** Called with each new version before anything is written by it. */
  readonly onTaken: (placement: Placement) => Promise<void>;
  readonly logger: Logger;
}

/** A batch or a read that names a newer version waits no longer than this for it. */
const REACH_MS = 2_000;
/** A client waits for a group: a manager that can't make it by then is away. */
const ENSURE_MS = 3_000;
/** After a failed poll; every call moves through the endpoints by itself. */
const RETRY_MS = 1_000;

export class PlacementFollower implements PlacementView {
  private index = new PlacementIndex(NO_PLACEMENT);
  private readonly listeners = new Set<(placement: Placement) => void>();
  private poll: AbortController | undefined;
  private saving: Promise<void> = Promise.resolve();

  constructor(private readonly deps: PlacementFollowerDeps) {}

  get current(): Placement {
    return this.index.placement;
  }

  writable(database: string, policy: string, timeNs: bigint): PlacedGroup | undefined {
    return this.index.writable(this.deps.metadata(), database, policy, timeNs);
  }

  covering(database: string, policy: string, fromNs: bigint, toNs: bigint): readonly PlacedGroup[] {
    return this.index.covering(this.deps.metadata(), database, policy, fromNs, toNs);
  }

  ofDatabase(database: string): readonly PlacedGroup[] {
    return this.index.ofDatabase(this.deps.metadata(), database);
  }

  onChange(listener: (placement: Placement) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async ensure(wanted: readonly GroupWanted[], signal: AbortSignal): Promise<void> {
    const isMissing = (each: GroupWanted) =>
      this.writable(each.database, each.policy, each.timeNs) === undefined;
    const missing = wanted.filter(isMissing);
    if (missing.length === 0) return;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ENSURE_MS)]);
    try {
      await this.take(await this.deps.api.makeGroups(missing, limit));
    } catch (error) {
      if (signal.aborted) throw error;
      throw noGroup(missing, messageOf(error), error);
    }
    const still = missing.find(isMissing);
    if (still !== undefined) {
      throw noGroup(
        [still],
        'what the manager made is for another database or policy of that name',
      );
    }
  }

  async reach(version: number, signal: AbortSignal): Promise<boolean> {
    if (this.current.version >= version) return true;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(REACH_MS)]);
    try {
      const newer = await this.deps.api.read(this.current, 0, limit);
      if (newer !== undefined) await this.take(newer);
    } catch (error) {
      if (signal.aborted) throw error;
      this.deps.logger.debug('a newer placement was not had', { err: error });
    }
    return this.current.version >= version;
  }

  async markIncomplete(
    node: number,
    groups: readonly number[],
    why: string,
    signal: AbortSignal,
  ): Promise<void> {
    const verdict = { isComplete: false, why };
    await this.take(await this.deps.api.setCompleteness(node, groups, verdict, signal));
  }

  /** Records it for those groups of which it is not known. Throws as `markIncomplete`. */
  async markOrderUnsure(
    node: number,
    groups: readonly number[],
    signal: AbortSignal,
  ): Promise<void> {
    const isNews = ({ id, shards }: PlacedGroup) =>
      groups.includes(id) &&
      shards.some(({ owners }) =>
        owners.some((owner) => owner.node === node && owner.orderUnsureSince === undefined),
      );
    const news = this.current.groups.filter(isNews).map(({ id }) => id);
    if (news.length === 0) return;
    await this.take(await this.deps.api.setOrderUnsure(node, news, signal));
  }

  /** What was heard last, before anybody is asked. */
  async load(): Promise<void> {
    try {
      const wire = placementSchema.parse(JSON.parse(await readFile(this.deps.path, 'utf8')));
      this.index = new PlacementIndex(placementFromWire(wire));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.deps.logger.warn('the placement on disk is not readable, asking the managers', {
        err: error,
      });
    }
  }

  /** A heartbeat named this version: a poll that has not brought it hangs in a dead connection. */
  noteVersion(version: number): void {
    if (version !== this.current.version) this.poll?.abort();
  }

  /** Runs until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    let isFirst = true;
    while (!signal.aborted) {
      this.poll = new AbortController();
      const both = AbortSignal.any([signal, this.poll.signal]);
      try {
        const newer = await this.deps.api.read(
          this.current,
          isFirst ? 0 : this.deps.longPollMs,
          both,
        );
        isFirst = false;
        if (newer !== undefined) await this.take(newer);
        await this.confirmCuts(both);
      } catch (error) {
        if (isAbort(error)) continue;
        // The metadata's poll says that the managers are away; a cluster that is not there yet has no placement.
        this.deps.logger.debug('following the placement failed', { err: error });
        isFirst = true;
        await sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
    await this.saving.catch(() => undefined);
  }

  /** A version that is older than the known one is what was overtaken on its way; another incarnation always counts. */
  private async take(placement: Placement): Promise<void> {
    if (!this.isNewer(placement)) return;
    await this.deps.onTaken(placement);
    if (!this.isNewer(placement)) return;
    this.index = new PlacementIndex(placement);
    for (const listener of [...this.listeners]) listener(placement);
    const text = JSON.stringify(placementToWire(placement));
    this.saving = this.saving
      .catch(() => undefined)
      .then(() => writeFileAtomically(this.deps.path, text));
    await this.saving;
  }

  private isNewer(placement: Placement): boolean {
    const { incarnation, version } = this.current;
    return placement.incarnation !== incarnation || placement.version > version;
  }

  private async confirmCuts(signal: AbortSignal): Promise<void> {
    const node = this.deps.nodeId();
    const { groups, members, version } = this.current;
    if (node === undefined || !members.includes(node)) return;
    const isOpen = ({ cut }: PlacedGroup) =>
      cut !== undefined && !cut.counts && !cut.confirmed.includes(node);
    if (groups.some(isOpen)) await this.take(await this.deps.api.confirm(node, version, signal));
  }
}

function noGroup(missing: readonly GroupWanted[], why: string, cause?: unknown): AppError {
  const [{ database, policy } = { database: '', policy: '' }] = missing;
  const message = `no shard group takes these points of ${JSON.stringify(database)}.${JSON.stringify(policy)} yet, and none could be made: ${why}; send them again`;
  return new AppError('no-group', message, {
    status: 503,
    retryable: true,
    retryAfterSeconds: 1,
    cause,
  });
}
