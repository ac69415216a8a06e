// Reads an owner's log ahead of what is sent, to find what goes together in one request. It sends nothing and forgets nothing
// that it has read.
import { canJoin, CHUNK_BYTES } from './chunk.js';
import type { HintItem, LogItem } from './log-item.js';
import type { OwnerLog } from './owner-log.js';

/** So many that none of them has more than a few bytes. */
const MOST_ITEMS = 10_000;

export class Lookahead {
  private ahead: LogItem | undefined;

  constructor(private readonly log: Pick<OwnerLog, 'read' | 'isSettled'>) {}

  /** An item was read that did not go with those before it. */
  get hasMore(): boolean {
    return this.ahead !== undefined;
  }

  /** What goes together: hints that are alike, with settled ones between them; or one loss. Empty: nothing is there now. */
  async next(): Promise<readonly LogItem[]> {
    const { log } = this;
    const items: LogItem[] = [];
    let first: HintItem | undefined;
    let bytes = 0;
    for (;;) {
      const item = this.ahead ?? (await log.read());
      this.ahead = item;
      if (item === undefined) return items;
      if (item.kind === 'lost') {
        if (items.length > 0) return items;
        this.ahead = undefined;
        return [item];
      }
      if (!log.isSettled(item.sequence)) {
        const isFitting = bytes + item.batch.body.length <= CHUNK_BYTES;
        if (first !== undefined && !(isFitting && canJoin(first.batch, item.batch))) return items;
        first ??= item;
        bytes += item.batch.body.length;
      }
      items.push(item);
      this.ahead = undefined;
      // Settled ones weigh nothing, and are not kept in memory without end either.
      if (items.length >= MOST_ITEMS) return items;
    }
  }
}
