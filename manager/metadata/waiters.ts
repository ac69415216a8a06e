// Readers that wait for a change: one small object each, because there may be tens of thousands. Nothing here touches the
// store; the feed tells when the cluster changed.
import type { Published } from './published.js';

export type WaitEnd =
  /** The cluster is another than the reader has seen; undefined: it is gone. */
  | { readonly kind: 'changed'; readonly published: Published | undefined }
  /** The wait is over, the reader went away, or the manager stops. */
  | { readonly kind: 'ended' };

/** What the reader has seen. */
export interface Seen {
  readonly version: number;
  /** Where the reader told its full name. */
  readonly incarnation: string | undefined;
}

export interface Wait {
  readonly end: Promise<WaitEnd>;
  /** Ends it now, as the wait's time would. */
  cancel(): void;
}

const ENDED: WaitEnd = { kind: 'ended' };

class Waiter implements Wait {
  readonly end: Promise<WaitEnd>;
  private resolve!: (end: WaitEnd) => void;
  private readonly timer: NodeJS.Timeout;

  constructor(
    readonly seen: Seen,
    waitMs: number,
    private readonly waiters: Set<Waiter>,
  ) {
    this.end = new Promise((resolve) => {
      this.resolve = resolve;
    });
    this.timer = setTimeout(endWaiter, waitMs, this);
    waiters.add(this);
  }

  cancel(): void {
    this.finish(ENDED);
  }

  finish(end: WaitEnd): void {
    if (!this.waiters.delete(this)) return;
    clearTimeout(this.timer);
    this.resolve(end);
  }
}

/** One function for all timers instead of a closure each. */
function endWaiter(waiter: Waiter): void {
  waiter.cancel();
}

export class Waiters {
  private readonly waiting = new Set<Waiter>();

  get size(): number {
    return this.waiting.size;
  }

  add(seen: Seen, waitMs: number): Wait {
    return new Waiter(seen, waitMs, this.waiting);
  }

  /** Releases all for whom this is news: the first at once, many of them bit by bit. */
  tell(published: Published | undefined): void {
    const told = [...this.waiting].filter(({ seen }) => isNews(published, seen));
    releaseSome(told, { kind: 'changed', published });
  }

  endAll(): void {
    for (const waiter of this.waiting) waiter.cancel();
  }
}

/** Answering so many takes some 20 ms; writes and heartbeats get their turn in between. */
const RELEASED_AT_ONCE = 200;

function releaseSome(waiters: readonly Waiter[], end: WaitEnd, start = 0): void {
  const next = start + RELEASED_AT_ONCE;
  for (const waiter of waiters.slice(start, next)) waiter.finish(end);
  if (next < waiters.length) setImmediate(releaseSome, waiters, end, next);
}

/** Whether a reader that has seen `seen` is to be answered at once. */
export function isNews(published: Published | undefined, seen: Seen): boolean {
  if (published === undefined) return seen.version > 0;
  if (published.tag.version !== seen.version) return true;
  return seen.incarnation !== undefined && seen.incarnation !== published.tag.incarnation;
}
