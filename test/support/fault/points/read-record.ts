// What one gateway's reader got: how often it was answered and by whom, what was missed, and how long it was refused in a row.

export interface ReadFigures {
  readonly served: number;
  readonly failed: number;
  /** From the first refusal of a row to the next whole answer, in ms. */
  readonly longestRefusedMs: number;
  /** Between two whole answers, in ms. */
  readonly longestUnservedMs: number;
}

export class ReadRecord {
  /** A whole answer without an acknowledged point, in words. */
  readonly misses: string[] = [];
  /** How often, by node id. */
  readonly servedBy = new Map<number, number>();
  /** How often, by what was said without its numbers. */
  readonly failures = new Map<string, number>();
  lastFailure: string | undefined;
  private served = 0;
  private failed = 0;
  private longestRefusedMs = 0;
  private longestUnservedMs = 0;
  private refusedSinceMs: number | undefined;
  private servedAtMs: number;

  constructor(
    readonly gateway: string,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.servedAtMs = now();
  }

  noteServed(
    node: number,
    misses: readonly string[],
    { sentMs }: { readonly sentMs: number },
  ): void {
    const nowMs = this.now();
    this.served += 1;
    this.servedBy.set(node, (this.servedBy.get(node) ?? 0) + 1);
    if (misses.length > 0) {
      const [first] = misses;
      const age = Math.round(nowMs - sentMs);
      this.misses.push(
        `node ${node}, asked by ${this.gateway} ${age} ms before, gave ${first} (and ${misses.length - 1} more)`,
      );
    }
    this.longestUnservedMs = Math.max(this.longestUnservedMs, nowMs - this.servedAtMs);
    this.servedAtMs = nowMs;
    this.endRefusals(nowMs);
  }

  noteFailed(why: string): void {
    this.failed += 1;
    this.lastFailure = why;
    const kind = why.replace(/\d+/g, 'n');
    this.failures.set(kind, (this.failures.get(kind) ?? 0) + 1);
    this.refusedSinceMs ??= this.now();
  }

  /** Nothing is asked any more: what is open ends now. */
  end(): void {
    const nowMs = this.now();
    this.longestUnservedMs = Math.max(this.longestUnservedMs, nowMs - this.servedAtMs);
    this.endRefusals(nowMs);
  }

  get figures(): ReadFigures {
    const { served, failed, longestRefusedMs, longestUnservedMs } = this;
    return { served, failed, longestRefusedMs, longestUnservedMs };
  }

  private endRefusals(nowMs: number): void {
    if (this.refusedSinceMs === undefined) return;
    this.longestRefusedMs = Math.max(this.longestRefusedMs, nowMs - this.refusedSinceMs);
    this.refusedSinceMs = undefined;
  }
}
