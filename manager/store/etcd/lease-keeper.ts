// Keeps a stream for renewing leases at hand, and opens another one when it broke. It renews only what it is asked to.
import type { LeaseId } from '../port.js';
import type { EtcdConnections } from './connections.js';
import { LeaseStream } from './lease-stream.js';

export class LeaseKeeper {
  private stream: Promise<LeaseStream> | undefined;

  constructor(private readonly connections: EtcdConnections) {}

  /** Renews a lease: true, or false where it is gone. Throws AppError `store-unavailable` after the connections' deadline. */
  async keepAlive(lease: LeaseId, signal: AbortSignal | undefined): Promise<boolean> {
    return await this.connections.call({
      doing: 'renewing a lease in',
      isIdempotent: true,
      signal,
      attempt: async (_client, deadline) => {
        const stream = await (this.stream ??= this.open());
        return await stream.renew(lease, deadline);
      },
    });
  }

  async close(): Promise<void> {
    const stream = this.stream;
    this.stream = undefined;
    // A stream that could not be opened has nothing to close; its opener was told the reason.
    await stream?.then(
      (opened) => {
        opened.close();
      },
      () => undefined,
    );
  }

  private open(): Promise<LeaseStream> {
    const { client } = this.connections.streamClient();
    const stream = LeaseStream.open(client, () => {
      if (this.stream === stream) this.stream = undefined;
    });
    stream.catch(() => {
      if (this.stream === stream) this.stream = undefined;
    });
    return stream;
  }
}
