// Renews leases by id, all over one stream: thousands per second for the price of a message each. The library's own automatic
// keep-alive is not used: it goes on saying "alive" for a TTL after a lease is dead.
import type {
  IDuplexStream,
  ILeaseKeepAliveRequest,
  ILeaseKeepAliveResponse,
  LeaseClient,
} from 'etcd3';
import { AppError } from '../../../shared/errors/app-error.js';
import type { LeaseId } from '../port.js';

type KeepAliveStream = IDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>;

/** The part of a client that a stream needs. */
export interface LeaseStreamClient {
  readonly leaseClient: Pick<LeaseClient, 'leaseKeepAlive'>;
  close(): void;
}

interface Waiter {
  readonly resolve: (isAlive: boolean) => void;
  readonly reject: (error: Error) => void;
}

/** One stream's life: it renews until its first trouble, then fails everything that waits and is of no more use. */
export class LeaseStream {
  /** Etcd answers in the order of the requests, so those for one lease form a queue. */
  private readonly waiting = new Map<LeaseId, Waiter[]>();
  private failure: Error | undefined;

  private constructor(
    private readonly client: LeaseStreamClient,
    private readonly stream: KeepAliveStream,
    private readonly onEnd: () => void,
  ) {
    stream.on('data', (response) => {
      this.settle(response);
    });
    stream.on('error', (error) => {
      this.end(error);
    });
    stream.on('end', () => {
      this.end(new Error('etcd ended the stream that renews leases'));
    });
  }

  /** Opens a stream on a client that is then its own. `onEnd` is called once, at the first trouble or at `close`. */
  static async open(client: LeaseStreamClient, onEnd: () => void): Promise<LeaseStream> {
    try {
      return new LeaseStream(client, await client.leaseClient.leaseKeepAlive(), onEnd);
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** True where the lease lives for another TTL, false where it is gone. A deadline that passes ends the whole stream. */
  renew(lease: LeaseId, deadline: number): Promise<boolean> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.end(new Error('etcd did not answer the renewal of a lease in time'));
      }, deadline - Date.now());
      const waiters = this.waiting.get(lease) ?? [];
      this.waiting.set(lease, waiters);
      waiters.push({
        resolve: (isAlive) => {
          clearTimeout(timer);
          resolve(isAlive);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.stream.write({ ID: lease });
    });
  }

  close(): void {
    this.end(
      new AppError('store-unavailable', 'the stream that renews leases was closed', {
        status: 503,
      }),
    );
  }

  private settle(response: ILeaseKeepAliveResponse): void {
    const waiters = this.waiting.get(response.ID);
    waiters?.shift()?.resolve(Number(response.TTL) > 0);
    if (waiters?.length === 0) this.waiting.delete(response.ID);
  }

  private end(error: Error): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    const waiters = [...this.waiting.values()].flat();
    this.waiting.clear();
    this.stream.cancel();
    this.client.close();
    this.onEnd();
    for (const waiter of waiters) waiter.reject(error);
  }
}
