// A gateway with the whole write path in this process, over plain influxd servers: metadata and placement are in memory, and
// anybody may write unless a test says otherwise.
import type { GatewayAuth } from '../../../agent/gateway/auth/port.js';
import type { BatchSender } from '../../../agent/gateway/owner/port.js';
import type { NodeDirectory } from '../../../agent/gateway/placement/port.js';
import type { GatewayHandler } from '../../../agent/gateway/port.js';
import type { Gateway, LocalInfluxd } from '../../../agent/gateway/server.js';
import { createGateway } from '../../../agent/gateway/server.js';
import { createWritePath } from '../../../agent/gateway/write/write-path.js';
import { addressUrl } from '../../../shared/config/address.js';
import { systemClock } from '../../../shared/lifecycle/clock.js';
import { memoryLogger } from '../../../shared/log/logger.js';
import { createRegistry } from '../../../shared/metrics/registry.js';
import { TestMetadata, TestPlacement } from './views.js';

export interface WriteGatewayOptions {
  readonly sender: BatchSender;
  /** Nodes of each shard of a group. */
  readonly owners?: readonly (readonly number[])[];
  readonly auth?: GatewayAuth;
  readonly query?: GatewayHandler;
  readonly maxBodyBytes?: number;
  readonly maxBytesInFlight?: number;
  readonly maxWrites?: number;
  readonly influxd?: LocalInfluxd;
}

export interface WriteGateway {
  readonly url: string;
  readonly gateway: Gateway;
  readonly metadata: TestMetadata;
  readonly placement: TestPlacement;
  /** Uids of the owners that got a hint, in order. */
  readonly hinted: readonly string[];
  close(): Promise<void>;
}

export const ANYBODY: GatewayAuth = {
  isOn: false,
  authenticate: async () => ({
    kind: 'accepted',
    caller: { user: undefined, isAdmin: true, mayRead: () => true, mayWrite: () => true },
  }),
};

export async function startWriteGateway(options: WriteGatewayOptions): Promise<WriteGateway> {
  const { sender, owners = [[1]], auth = ANYBODY, maxBodyBytes = 25_000_000 } = options;
  const metadata = new TestMetadata();
  const placement = new TestPlacement(metadata, owners);
  const hinted: string[] = [];
  const logger = memoryLogger();
  const write = createWritePath({
    config: {
      maxBodyBytes,
      maxBytesInFlight: options.maxBytesInFlight ?? 128 * 1024 * 1024,
      maxWrites: options.maxWrites ?? 1_000,
    },
    // Long enough for every write of a busy test machine, short enough to be waited for.
    hintAfterMs: 1_000,
    auth,
    metadata,
    placement,
    directory: DIRECTORY,
    sender,
    handoff: {
      holds: () => false,
      keep: async (ownerUid) => {
        hinted.push(ownerUid);
        return { kind: 'kept', ref: { ownerUid, sequence: hinted.length }, isFirst: true };
      },
      drained: async () => true,
      isNearlyDrained: () => true,
      settle: () => undefined,
      backlogs: () => [],
      nudge: () => undefined,
    },
    news: { announce: async () => undefined, drained: () => undefined },
    registry: createRegistry({ version: 'test', commit: 'test', service: 'agent' }),
    clock: systemClock(),
    logger,
  });
  const gateway = createGateway({
    config: { bindAddress: { host: '127.0.0.1', port: 0 }, insecure: false, maxConnections: 100 },
    isAuthOn: () => auth.isOn,
    influxd: () => options.influxd ?? { version: '1.6.7~rc0', answers: true },
    write: write.handler,
    query: options.query ?? { handle: async (_request, response) => void response.end('asked') },
    logger,
  });
  const address = await gateway.listen();
  return {
    url: addressUrl(address),
    gateway,
    metadata,
    placement,
    hinted,
    close: () => gateway.close(),
  };
}

const DIRECTORY: NodeDirectory = {
  self: { id: 1, uid: 'uid-1' },
  node: (id) => ({
    id,
    uid: `uid-${String(id)}`,
    address: { host: '127.0.0.1', port: 1 },
    hostname: `host-${String(id)}`,
    isAlive: true,
    behind: [],
  }),
  byUid: () => undefined,
  all: () => [],
  refresh: async () => true,
  onChange: () => () => undefined,
};
