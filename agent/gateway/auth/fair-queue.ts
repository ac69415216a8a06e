// Waiting work, taken in turn from each client: who asks much waits for himself, and not the others for him. Bounded.

export interface FairQueueLimits {
  readonly maxPerClient: number;
  readonly max: number;
}

export class FairQueue<T> {
  /** In the order of their turns; no client without work is kept. */
  private readonly clients = new Map<string, T[]>();
  private count = 0;

  constructor(private readonly limits: FairQueueLimits) {}

  get length(): number {
    return this.count;
  }

  /** False where this client, or all together, have as much waiting as they may. */
  put(client: string, item: T): boolean {
    const waiting = this.clients.get(client);
    if (this.count >= this.limits.max) return false;
    if (waiting === undefined) this.clients.set(client, [item]);
    else if (waiting.length >= this.limits.maxPerClient) return false;
    else waiting.push(item);
    this.count += 1;
    return true;
  }

  /** The oldest of the client whose turn it is; undefined where nothing waits. */
  take(): T | undefined {
    const [turn] = this.clients;
    if (turn === undefined) return undefined;
    const [client, waiting] = turn;
    const item = waiting.shift();
    this.clients.delete(client);
    // Behind all others now.
    if (waiting.length > 0) this.clients.set(client, waiting);
    this.count -= 1;
    return item;
  }
}
