// The managers' addresses in turn: which one is asked next, and word to whoever waits at one that has just failed.

export class Endpoints {
  private preferred = 0;
  private turn = 0;
  private readonly leavers = new Map<string, Set<() => void>>();

  /** @param urls at least one; without a slash at the end. */
  constructor(readonly urls: readonly string[]) {}

  /** Where calls go until it fails. */
  current(): string {
    return this.urls[this.preferred] ?? '';
  }

  /** Another one at each call: the slow timer looks at every manager by and by. */
  inTurn(): string {
    this.turn = (this.turn + 1) % this.urls.length;
    return this.urls[this.turn] ?? '';
  }

  /**
   * Calls go elsewhere from now on, where there is another. With `isSilent`, nothing answered there at all, and every
   * long poll at this endpoint ends too: a half-open connection would hide the dead manager for as long as it waits.
   */
  failed(url: string, { isSilent }: { readonly isSilent: boolean }): void {
    if (url === this.current()) this.preferred = (this.preferred + 1) % this.urls.length;
    if (!isSilent) return;
    const waiting = this.leavers.get(url);
    this.leavers.delete(url);
    for (const leave of waiting ?? []) leave();
  }

  /** Calls `leave` once when this endpoint fails; returns how to take that back. */
  onFailure(url: string, leave: () => void): () => void {
    const waiting = this.leavers.get(url) ?? new Set();
    waiting.add(leave);
    this.leavers.set(url, waiting);
    return () => waiting.delete(leave);
  }

  /** After `url`, wrapping round. */
  after(url: string): string {
    return this.urls[(this.urls.indexOf(url) + 1) % this.urls.length] ?? url;
  }
}
