// Gathers what comes while the disk is busy, and makes it durable together: one write and one fsync for many.
// It knows nothing of files; order is that of the calls.

/** One group: more would only make the first of them wait. */
const GROUP_BYTES = 8 * 1024 * 1024;

interface Waiting<T> {
  readonly item: T;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: unknown) => void;
}

export class GroupCommit<T extends { readonly length: number }> {
  private readonly waiting: Waiting<T>[] = [];
  private committing: Promise<void> | undefined;
  private bytes = 0;

  /** `commit` makes a group durable and resolves to the sequence of its first; one at a time. */
  constructor(private readonly commit: (group: readonly T[]) => Promise<number>) {}

  get isIdle(): boolean {
    return this.waiting.length === 0 && this.committing === undefined;
  }

  /** Of all that is not yet durable. */
  get pendingBytes(): number {
    return this.bytes;
  }

  get pending(): readonly T[] {
    return this.waiting.map(({ item }) => item);
  }

  /** Resolves to its sequence when it is durable; rejects with the error that its group failed with. */
  add(item: T): Promise<number> {
    this.bytes += item.length;
    const done = new Promise<number>((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
    });
    this.committing ??= this.commitAll();
    return done;
  }

  /** Resolves when nothing is being written. Never rejects. */
  async idle(): Promise<void> {
    await this.committing;
  }

  private async commitAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const group = this.takeGroup();
      const items = group.map(({ item }) => item);
      try {
        const first = await this.commit(items);
        group.forEach(({ resolve }, i) => {
          resolve(first + i);
        });
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
      for (const { length } of items) this.bytes -= length;
    }
    // In the turn in which nothing waits any more: what comes later begins anew.
    this.committing = undefined;
  }

  private takeGroup(): Waiting<T>[] {
    let bytes = 0;
    let count = 0;
    for (const { item } of this.waiting) {
      if (count > 0 && bytes + item.length > GROUP_BYTES) break;
      bytes += item.length;
      count += 1;
    }
    return this.waiting.splice(0, count);
  }
}
