// What the HTTP API works with: the services of the manager, and the limits of its answers.
import type { Registry } from 'prom-client';
import type { BuildInfo } from '../../shared/lifecycle/build-info.js';
import type { Logger } from '../../shared/log/logger.js';
import type { Tokens } from '../../shared/security/tokens.js';
import type { ManagerMetrics } from '../metrics.js';
import type { Services } from '../services.js';
import type { Store } from '../store/port.js';
import type { ServedCertificates } from './security/server.js';

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
  /** Undefined: plain HTTP. With authorities, clients must show a certificate of it. */
  readonly tls?: ServedCertificates;
  /** The tokens as they are now. Undefined: nobody is asked for one, and whoever connects may do everything. */
  readonly tokens?: () => Tokens;
  readonly limits: Limits;
  /** Aborted when the manager stops: no request goes on for longer. */
  readonly stop: AbortSignal;
  /** True from the first moment of stopping, while requests are still answered. */
  readonly isDraining: () => boolean;
}

export interface Limits {
  readonly maxSnapshotBytes: number;
  /** Of bodies that are no snapshots: registrations and heartbeats with all their hints stay far below a mebibyte. */
  readonly maxJsonBytes: number;
  readonly maxHeaderBytes: number;
  readonly longPollMs: number;
  readonly maxWaiters: number;
  readonly maxConnections: number;
  /** For head and body of a request to arrive, and for a reader to take something of its answer. */
  readonly requestTimeoutMs: number;
  /** Wrong tokens per address and minute. */
  readonly maxAuthFailures: number;
}
