// Puts the write path together: what the gateway's server hands /write to, and what writes the points of SELECT INTO.
import type { Registry } from 'prom-client';
import type { GatewayConfig } from '../../../shared/config/config.js';
import { AppError } from '../../../shared/errors/app-error.js';
import type { Clock } from '../../../shared/lifecycle/clock.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { GatewayAuth } from '../auth/port.js';
import type { Handoff } from '../handoff/port.js';
import type { MetadataView } from '../metadata/port.js';
import type { BacklogNews, BatchSender } from '../owner/port.js';
import type { NodeDirectory, PlacementView } from '../placement/port.js';
import type { GatewayHandler } from '../port.js';
import { Admission } from './admission.js';
import { ClusterWriter } from './cluster-writer.js';
import { Deliveries } from './delivery.js';
import { FanOut } from './fan-out.js';
import { ClusterWriteHandler } from './handler.js';
import { ShapeMemory } from './shapes.js';
import { createWriteMetrics } from './write-metrics.js';

export interface WritePathDeps {
  readonly config: Pick<GatewayConfig, 'maxBodyBytes' | 'maxBytesInFlight' | 'maxWrites'>;
  /** handoff.hint-after */
  readonly hintAfterMs: number;
  readonly auth: GatewayAuth;
  readonly metadata: MetadataView;
  readonly placement: PlacementView;
  readonly directory: NodeDirectory;
  readonly sender: BatchSender;
  readonly handoff: Handoff;
  readonly news: BacklogNews;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface WritePath {
  readonly handler: GatewayHandler;
  /**
   * Writes line protocol with nanosecond times at the default level, for SELECT INTO. Throws AppError with the words and the
   * status that a client's write would have been refused with.
   */
  write(database: string, policy: string, body: Buffer, signal: AbortSignal): Promise<void>;
}

export function createWritePath(deps: WritePathDeps): WritePath {
  const { config, auth, metadata, placement, directory, clock, logger, hintAfterMs } = deps;
  const { maxBytesInFlight: maxBytes, maxWrites, maxBodyBytes } = config;
  const admission = new Admission({ maxBytes, maxWrites });
  const metrics = createWriteMetrics(deps.registry, admission);
  const deliveries = new Deliveries({ ...deps, metrics });
  const fanOut = new FanOut({ deliveries, directory, shapes: new ShapeMemory(), clock });
  const writer = new ClusterWriter({ metadata, placement, fanOut, clock, logger, hintAfterMs });
  return {
    handler: new ClusterWriteHandler({
      auth,
      metadata,
      writer,
      admission,
      maxBodyBytes,
      metrics,
      clock,
    }),
    async write(database, policy, body, signal) {
      const points = { database, policy, body, precision: 'n', level: null } as const;
      const { fault } = await writer.write(points, signal);
      if (fault === undefined) return;
      throw new AppError(
        fault.status < 500 ? 'influxd-refused' : 'level-not-reached',
        fault.error,
        {
          status: fault.status,
          retryable: fault.isSafeToRetry ?? false,
        },
      );
    },
  };
}
