// What the HTTP API works with: the services of the manager, and the limits of its answers.
import type { Registry } from 'prom-client';
import type { BuildInfo } from '../../shared/lifecycle/build-info.js';
import type { Logger } from '../../shared/log/logger.js';
import type { ManagerMetrics } from '../metrics.js';
import type { Services } from '../services.js';
import type { Store } from '../store/port.js';

export interface AppDeps {
  readonly services: Services;
  readonly store: Store;
  readonly logger: Logger;
  readonly metrics: ManagerMetrics;
  readonly registry: Registry;
  readonly build: BuildInfo;
  /** Of this process; listed by `GET /nodes`. */
  readonly managerId: string;
  readonly startedAt: Date;
  /** Undefined: plain HTTP. PEM. */
  readonly tls?: TlsOptions;
  readonly limits: {
    readonly maxSnapshotBytes: number;
    readonly longPollMs: number;
    readonly maxWaiters: number;
  };
  /** Aborted when the manager stops: no request goes on for longer. */
  readonly stop: AbortSignal;
  /** True from the first moment of stopping, while requests are still answered. */
  readonly isDraining: () => boolean;
}

export interface TlsOptions {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Where given, clients must show a certificate of it. */
  readonly clientCa: Buffer | undefined;
}
