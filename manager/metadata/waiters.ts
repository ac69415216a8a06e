// Readers that wait for a change: one small object each, because there may be tens of thousands. Nothing here touches the
// store; the feed tells when the cluster changed.
import type { Published } from './published.js';

/** What readers wait for a newer one of. */
export interface Versioned {
  readonly tag: { readonly version: number; readonly incarnation: string };
}

export type WaitEnd<P extends Versioned = Published> =
  /** The cluster is another than the reader has seen; undefined: it is gone. */
  | { readonly kind: 'changed'; readonly published: P | undefined }
  /** The wait is over, the reader went away, or the manager stops. */
  | { readonly kind: 'ended' };

/** What the reader has seen. */
export interface Seen {
  readonly version: number;
  /** Where the reader told its full name. */
  readonly incarnation: string | undefined;
}

export interface Wait<P extends Versioned = Published> {
  readonly end: Promise<WaitEnd<P>>;
  /** Ends it now, as the wait's time would. */
  cancel(): void;
}

const ENDED = { kind: 'ended' } as const;

class Waiter<P extends Versioned> implements Wait<P> {
  readonly end: Promise<WaitEnd<P>>;
  private resolve!: (end: WaitEnd<P>) => void;
  private readonly timer: NodeJS.Timeout;

  constructor(
    readonly seen: Seen,
    waitMs: number,
    private readonly waiters: Set<Waiter<P>>,
  ) {
    this.end = new Promise((resolve) => {
      this.resolve = resolve;
    });
    this.timer = setTimeout(endWaiter<P>, waitMs, this);
    waiters.add(this);
  }

  cancel(): void {
    this.finish(ENDED);
  }

  finish(end: WaitEnd<P>): void {
    if (!this.waiters.delete(this)) return;
    clearTimeout(this.timer);
    this.resolve(end);
  }
}

/** One function for all timers instead of a closure each. */
function endWaiter<P extends Versioned>(waiter: Waiter<P>): void {
  waiter.cancel();
}

export class Waiters<P extends Versioned = Published> {
  private readonly waiting = new Set<Waiter<P>>();

  get size(): number {
    return this.waiting.size;
  }

  add(seen: Seen, waitMs: number): Wait<P> {
    return new Waiter(seen, waitMs, this.waiting);
  }

  /** Releases all for whom this is news: the first at once, many of them bit by bit. */
  tell(published: P | undefined): void {
    const told = [...this.waiting].filter(({ seen }) => isNews(published, seen));
    releaseSome(told, { kind: 'changed', published });
  }

  endAll(): void {
    for (const waiter of this.waiting) waiter.cancel();
  }
}

/** Answering so many takes some 20 ms; writes and heartbeats get their turn in between. */
const RELEASED_AT_ONCE = 200;

function releaseSome<P extends Versioned>(
  waiters: readonly Waiter<P>[],
  end: WaitEnd<P>,
  start = 0,
): void {
  const next = start + RELEASED_AT_ONCE;
  for (const waiter of waiters.slice(start, next)) waiter.finish(end);
  if (next < waiters.length) setImmediate(releaseSome<P>, waiters, end, next);
}

/** Whether a reader that has seen `seen` is to be answered at once. */
export function isNews(published: Versioned | undefined, seen: Seen): boolean {
  if (published === undefined) return seen.version > 0;
  if (published.tag.version !== seen.version) return true;
  return seen.incarnation !== undefined && seen.incarnation !== published.tag.incarnation;
}
