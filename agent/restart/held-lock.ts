// One lock of the cluster, held: renewed while it is, and known by its fence. Where another fence comes back it was lost in
// between, and whatever it guarded may have been done by somebody else.
import { isAbort } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Logger } from '../../shared/log/logger.js';
import type { ClusterLocks, LockRequest } from '../manager-api/cluster-locks.js';

export interface HeldLockDeps {
  readonly locks: Pick<ClusterLocks, 'acquire' | 'release'>;
  readonly cluster: string;
  readonly request: LockRequest;
  readonly clock: Clock;
  readonly logger: Logger;
}

export type TakenLock =
  | { readonly kind: 'held'; readonly lock: HeldLock }
  | { readonly kind: 'taken'; readonly holder: string };

/** Throws as `ClusterLocks.acquire`. */
export async function takeLock(deps: HeldLockDeps, signal: AbortSignal): Promise<TakenLock> {
  const outcome = await deps.locks.acquire(deps.cluster, deps.request, signal);
  if (outcome.kind === 'taken') return { kind: 'taken', holder: outcome.holder };
  return { kind: 'held', lock: new HeldLock(deps, outcome.fence) };
}

/** A stopping agent is gone within a second; a lock that is not released ends by its TTL. */
const RELEASE_DEADLINE_MS = 700;

/** Three renewals within a TTL, so that two may fail. */
const RENEWALS_PER_TTL = 3;

export class HeldLock {
  private readonly ended = new AbortController();
  private readonly renewing: Promise<void>;

  constructor(
    private readonly deps: HeldLockDeps,
    private readonly fence: number,
  ) {
    this.renewing = this.renewForever();
  }

  /** True where it was held without a gap and is for another TTL. Throws as `ClusterLocks.acquire`. */
  async renew(signal: AbortSignal): Promise<boolean> {
    const { locks, cluster, request } = this.deps;
    const outcome = await locks.acquire(cluster, request, signal);
    return outcome.kind === 'held' && outcome.fence === this.fence;
  }

  /** Never rejects. */
  async release(): Promise<void> {
    this.ended.abort();
    await this.renewing;
    const { locks, cluster, request, logger } = this.deps;
    try {
      await locks.release(cluster, request, AbortSignal.timeout(RELEASE_DEADLINE_MS));
    } catch (error) {
      logger.debug('a lock was not released and ends by its TTL', {
        lock: request.name,
        err: error,
      });
    }
  }

  private async renewForever(): Promise<void> {
    const { clock, request, logger } = this.deps;
    const { signal } = this.ended;
    while (!signal.aborted) {
      try {
        await clock.sleep(request.ttlMs / RENEWALS_PER_TTL, signal);
        if (await this.renew(signal)) continue;
        logger.warn('a lock of the cluster was lost', { lock: request.name });
        return;
      } catch (error) {
        if (isAbort(error)) return;
        // Whoever needs to be sure renews it himself, and hears of it.
        logger.debug('renewing a lock failed', { lock: request.name, err: error });
      }
    }
  }
}
