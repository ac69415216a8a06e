// The store port over etcd v3. It only translates: keys come in complete, and what they mean is decided above the port.
// A write is sent at most once; where its answer is lost it throws `outcome-unknown` and never claims "refused".
import { EtcdLeaseInvalidError, type Etcd3 } from 'etcd3';
import { isAppError, messageOf } from '../../../shared/errors/app-error.js';
import type { Logger } from '../../../shared/log/logger.js';
import { assertTransactionFits } from '../limits.js';
import { leaseGone } from '../memory/lease-table.js';
import type {
  Comparison,
  Entry,
  LeaseId,
  Operation,
  RangeOptions,
  RangeResult,
  Store,
  StoreHealth,
  TransactionResult,
  Watch,
  WatchEvent,
} from '../port.js';
import { EtcdConnections, type EtcdConnectionOptions } from './connections.js';
import { compareRequest, entryOf, operationRequest, rangeRequest, revisionOf } from './convert.js';
import { LeaseKeeper } from './lease-keeper.js';
import { EtcdWatchHub } from './watch-hub.js';

export interface EtcdStoreOptions extends EtcdConnectionOptions {
  readonly logger: Logger;
  /** A key that the user may read and that nobody writes, for finding out whether etcd answers. */
  readonly probeKey?: string;
  /** How often a watch stream is asked for a sign of life; 2 s where absent. */
  readonly watchCheckMs?: number;
  /** A watch stream that is silent or behind for longer is given up; 5 s where absent. */
  readonly watchSilentMs?: number;
}

/** How the member that answers stands, for operators. etcd does not tell its quota. */
export interface EtcdStatus {
  readonly version: string;
  /** Bytes of its database file. */
  readonly dbSize: number;
  /** Alarms and other errors that the member itself reports. */
  readonly errors: readonly string[];
}

/** One small message each: nothing is saved by asking less often. */
const DEFAULT_WATCH_CHECK_MS = 2_000;

/** Two signs of life may be missed before a stream is given up. */
const DEFAULT_WATCH_SILENT_MS = 5_000;

/** Below the default prefix, so that a user with rights there alone may read it. */
const DEFAULT_PROBE_KEY = '/clusterflux/probe';

export class EtcdStore implements Store {
  readonly location: string;
  private readonly connections: EtcdConnections;
  private readonly leases: LeaseKeeper;
  private readonly hub: EtcdWatchHub;
  private readonly probeKey: Buffer;

  /** Connects when it is first used; an etcd that is away is no error here. */
  constructor(options: EtcdStoreOptions) {
    this.connections = new EtcdConnections(options);
    this.location = this.connections.location;
    this.probeKey = Buffer.from(options.probeKey ?? DEFAULT_PROBE_KEY);
    this.leases = new LeaseKeeper(this.connections);
    this.hub = new EtcdWatchHub({
      connections: this.connections,
      currentRevision: () => this.currentRevision(),
      logger: options.logger,
      checkMs: options.watchCheckMs ?? DEFAULT_WATCH_CHECK_MS,
      silentMs: options.watchSilentMs ?? DEFAULT_WATCH_SILENT_MS,
    });
  }

  async get(
    key: string,
    options: { readonly revision?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Entry | undefined> {
    const { revision, signal } = options;
    const request = { key: Buffer.from(key), ...(revision === undefined ? {} : { revision }) };
    const response = await this.read(signal, (client, deadline) =>
      client.kv.range(request, { deadline }),
    );
    const keyValue = response.kvs[0];
    return keyValue === undefined ? undefined : entryOf(keyValue);
  }

  async range(prefix: string, options: RangeOptions = {}): Promise<RangeResult> {
    const request = rangeRequest(prefix, options);
    const response = await this.read(options.signal, (client, deadline) =>
      client.kv.range(request, { deadline }),
    );
    return {
      entries: response.kvs.map(entryOf),
      revision: options.revision ?? revisionOf(response.header.revision),
      hasMore: response.more,
    };
  }

  async transact(
    comparisons: readonly Comparison[],
    operations: readonly Operation[],
    signal?: AbortSignal,
  ): Promise<TransactionResult> {
    assertTransactionFits(comparisons, operations);
    const request = {
      compare: comparisons.map(compareRequest),
      success: operations.map(operationRequest),
    };
    try {
      const response = await this.connections.call({
        doing: 'writing to',
        isIdempotent: false,
        signal,
        attempt: (client, deadline) => client.kv.txn(request, { deadline }),
      });
      const revision = revisionOf(response.header.revision);
      return { kind: response.succeeded ? 'committed' : 'refused', revision };
    } catch (error) {
      const cause = isAppError(error) ? error.cause : undefined;
      if (cause instanceof EtcdLeaseInvalidError) throw leaseGone(leaseIdOf(operations), cause);
      throw error;
    }
  }

  async watch(
    prefix: string,
    onEvent: (event: WatchEvent) => void,
    signal?: AbortSignal,
  ): Promise<Watch> {
    return await this.hub.watch(prefix, onEvent, signal);
  }

  async grantLease(ttlSeconds: number, signal?: AbortSignal): Promise<LeaseId> {
    // Granting twice costs a lease that nobody uses and that ends by itself, so it may be tried again.
    const response = await this.connections.call({
      doing: 'granting a lease in',
      isIdempotent: true,
      signal,
      attempt: (client, deadline) =>
        client.leaseClient.leaseGrant({ TTL: Math.ceil(ttlSeconds) }, { deadline }),
    });
    return response.ID;
  }

  async keepAlive(lease: LeaseId, signal?: AbortSignal): Promise<boolean> {
    return await this.leases.keepAlive(lease, signal);
  }

  async revokeLease(lease: LeaseId, signal?: AbortSignal): Promise<void> {
    try {
      await this.connections.call({
        doing: 'revoking a lease in',
        isIdempotent: true,
        signal,
        attempt: (client, deadline) => client.leaseClient.leaseRevoke({ ID: lease }, { deadline }),
      });
    } catch (error) {
      // It is gone already, which is what was wanted.
      if (isAppError(error) && error.cause instanceof EtcdLeaseInvalidError) return;
      throw error;
    }
  }

  async health(signal?: AbortSignal): Promise<StoreHealth> {
    try {
      const revision = await this.currentRevision(signal);
      const { version, dbSize, errors } = await this.status(signal);
      const alarms = errors.length === 0 ? '' : `, which reports: ${errors.join('; ')}`;
      const detail = `etcd ${version} at revision ${revision}, ${dbSize} bytes${alarms}`;
      return { reachable: true, detail };
    } catch (error) {
      // Being out of reach is an answer here.
      return { reachable: false, detail: messageOf(error) };
    }
  }

  async close(): Promise<void> {
    this.connections.close();
    await this.hub.close();
    await this.leases.close();
  }

  /** Makes etcd forget its history before a revision, as it does not do by itself. Forgotten already is fine. */
  async compact(revision: number, signal?: AbortSignal): Promise<void> {
    try {
      await this.connections.call({
        doing: 'compacting',
        isIdempotent: true,
        signal,
        attempt: (client, deadline) => client.kv.compact({ revision }, { deadline }),
      });
    } catch (error) {
      // Another manager, or an attempt of ours whose answer was lost, was there before.
      if (messageOf(error).includes('has been compacted')) return;
      throw error;
    }
  }

  async status(signal?: AbortSignal): Promise<EtcdStatus> {
    const response = await this.connections.call({
      doing: 'asking for the status of',
      isIdempotent: true,
      signal,
      attempt: (client, deadline) => client.maintenance.status({ deadline }),
    });
    return { version: response.version, dbSize: Number(response.dbSize), errors: response.errors };
  }

  /** By a linearizable read of one key, which costs etcd the same however many keys there are. */
  private async currentRevision(signal?: AbortSignal): Promise<number> {
    const request = { key: this.probeKey };
    const response = await this.read(signal, (client, deadline) =>
      client.kv.range(request, { deadline }),
    );
    return revisionOf(response.header.revision);
  }

  private read<T>(
    signal: AbortSignal | undefined,
    attempt: (client: Etcd3, deadline: number) => Promise<T>,
  ): Promise<T> {
    return this.connections.call({ doing: 'reading from', isIdempotent: true, signal, attempt });
  }
}

/** The lease that a transaction's puts are under: in practice one. */
function leaseIdOf(operations: readonly Operation[]): LeaseId {
  for (const operation of operations) {
    if ('put' in operation && operation.leaseId !== undefined) return operation.leaseId;
  }
  return '0';
}
