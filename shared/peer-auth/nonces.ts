// The nonces of the requests that were accepted, for as long as they could be sent again. It never forgets one early: when
// it is full it says so, and the request is refused.

/** Nonces are dropped by such slices of time, all of a slice at once. */
const SLICE_MS = 5_000;

export class Nonces {
  private readonly slices = new Map<number, Set<string>>();
  private count = 0;

  constructor(private readonly options: { readonly windowMs: number; readonly max: number }) {}

  /**
   * Remembers a nonce under the time that its request was signed with; `seen` where it is known, `full` beyond the bound.
   * A nonce of the same text but another time is another request: the time is signed too, so nobody can change it.
   */
  remember(nonce: string, timeMs: number, nowMs: number): 'new' | 'seen' | 'full' {
    this.forgetBefore(nowMs - this.options.windowMs);
    const slice = Math.floor(timeMs / SLICE_MS);
    const known = this.slices.get(slice) ?? new Set<string>();
    if (known.has(nonce)) return 'seen';
    if (this.count >= this.options.max) return 'full';
    known.add(nonce);
    this.slices.set(slice, known);
    this.count += 1;
    return 'new';
  }

  get size(): number {
    return this.count;
  }

  private forgetBefore(timeMs: number): void {
    for (const [slice, nonces] of this.slices) {
      // The last moment of the slice must be outside of the window.
      if ((slice + 1) * SLICE_MS > timeMs) continue;
      this.count -= nonces.size;
      this.slices.delete(slice);
    }
  }
}
