// The registry's flags of owners that this node holds hints for and could not tell: set once per outage, cleared when all is
// delivered, also those that an earlier run of this agent left behind.
import { isAbort, messageOf } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { ClusterNode, NodeDirectory } from '../placement/port.js';
import { LIST_GOOD_MS } from './news-wire.js';

/** PUT and DELETE /nodes/{cluster}/{owner}/behind/{holder}. Throw as every call to a manager. */
export interface BehindFlags {
  set(owner: number, holder: number, signal: AbortSignal): Promise<void>;
  clear(owner: number, holder: number, signal: AbortSignal): Promise<void>;
}

export interface FlagsDeps {
  readonly flags: BehindFlags;
  readonly directory: Pick<NodeDirectory, 'self' | 'node'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly logger: Logger;
}

/** A write waits for this where its owner can't be told. */
const WITHIN_MS = 1_000;
/** What failed, or has not come round to the list of nodes yet, is tried again so often. */
const AGAIN_MS = 2_000;

interface Flag {
  /** As this run knows it. */
  isSet: boolean;
  /** When the registry was known to have it. */
  setMs: number;
  work: Promise<void>;
  /** When it was last tried to set it in vain, and to clear it at all. */
  failedMs: number;
  clearedMs: number;
}

export class Flags {
  private readonly flags = new Map<string, Flag>();

  constructor(private readonly deps: FlagsDeps) {}

  isSet(uid: string): boolean {
    return this.flags.get(uid)?.isSet === true;
  }

  /** Set for so long that nobody goes by a list of nodes without it any more. */
  isSettled(uid: string): boolean {
    const flag = this.flags.get(uid);
    return flag?.isSet === true && this.deps.clock.monotonicMs() >= flag.setMs + LIST_GOOD_MS;
  }

  /** Resolves when it is set, or can't be now; never rejects. */
  set(owner: ClusterNode, signal: AbortSignal): Promise<void> {
    const flag = this.flagOf(owner.uid);
    return this.inTurn(flag, async () => {
      const { id: holder } = this.deps.directory.self;
      if (flag.isSet || holder === undefined || this.isTooSoon(flag.failedMs)) return;
      await this.attempt('set', owner, holder, signal);
    });
  }

  /** As `set`; nothing where none is set. */
  clear(owner: ClusterNode, signal: AbortSignal): Promise<void> {
    const flag = this.flagOf(owner.uid);
    const wasSet = flag.isSet;
    // At once: whoever makes a hint from now on may not count on it.
    flag.isSet = false;
    return this.inTurn(flag, async () => {
      const { id: holder } = this.deps.directory.self;
      if (holder === undefined) return;
      const isListed = this.deps.directory.node(owner.id)?.behind.includes(holder) === true;
      if (!wasSet && (!isListed || this.isTooSoon(flag.clearedMs))) return;
      await this.attempt('clear', owner, holder, signal);
    });
  }

  private async attempt(
    what: 'set' | 'clear',
    owner: ClusterNode,
    holder: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { flags, clock, logger } = this.deps;
    const flag = this.flagOf(owner.uid);
    if (what === 'clear') flag.clearedMs = clock.monotonicMs();
    const fields = { op: what, target: owner.id };
    try {
      await flags[what](
        owner.id,
        holder,
        AbortSignal.any([signal, AbortSignal.timeout(WITHIN_MS)]),
      );
      flag.isSet = what === 'set';
      flag.setMs = clock.monotonicMs();
      if (flag.isSet)
        logger.info('a node that hints are held for could not be told, and is flagged', fields);
    } catch (error) {
      if (isAbort(error) && signal.aborted) return;
      if (what === 'set') flag.failedMs = clock.monotonicMs();
      logger.warn('flagging a node that hints are held for failed', {
        ...fields,
        reason: messageOf(error),
      });
    }
  }

  private isTooSoon(sinceMs: number): boolean {
    return this.deps.clock.monotonicMs() < sinceMs + AGAIN_MS;
  }

  /** One after the other: a flag that is set while an older one is being cleared stays set. */
  private inTurn(flag: Flag, work: () => Promise<void>): Promise<void> {
    flag.work = flag.work.then(work);
    return flag.work;
  }

  private flagOf(uid: string): Flag {
    const known = this.flags.get(uid);
    if (known !== undefined) return known;
    const flag: Flag = {
      ...{ isSet: false, setMs: -Infinity },
      ...{ work: Promise.resolve(), failedMs: -Infinity, clearedMs: -Infinity },
    };
    this.flags.set(uid, flag);
    return flag;
  }
}
