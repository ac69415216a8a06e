// A manager for tests: its HTTP API over any store, without the loops beside it; with or without a listening port.
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { buildApp, type App } from '../../manager/http/app.js';
import type { Limits } from '../../manager/http/deps.js';
import { ManagerMetrics } from '../../manager/metrics.js';
import { createServices, type Services } from '../../manager/services.js';
import { MemoryStore } from '../../manager/store/memory/memory-store.js';
import type { Store } from '../../manager/store/port.js';
import type { PlacementConfig } from '../../shared/config/config.js';
import { systemClock, type Clock } from '../../shared/lifecycle/clock.js';
import { silentLogger, type Logger } from '../../shared/log/logger.js';
import { parseTokens } from '../../shared/security/tokens.js';

export interface TestManagerOptions {
  /** A fresh one in memory where absent; closed with the manager only then. */
  readonly store?: Store;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly ttlMs?: number;
  readonly prefix?: string;
  readonly longPollMs?: number;
  readonly maxWaiters?: number;
  readonly maxSnapshotBytes?: number;
  readonly limits?: Partial<Limits>;
  /** A token file's text; nobody is asked for a token where absent. */
  readonly tokens?: string;
  readonly history?: number;
  readonly maxDrops?: number;
  readonly maxEvents?: number;
  readonly placement?: Partial<PlacementConfig>;
  /** Listen on a free port of loopback; else only `app.inject` works. */
  readonly listen?: boolean;
}

export interface TestManager {
  readonly app: App;
  readonly services: Services;
  readonly store: Store;
  readonly metrics: ManagerMetrics;
  /** Empty where it does not listen. */
  readonly url: string;
  /** What SIGTERM does first. */
  drain(): void;
  close(): Promise<void>;
}

export async function startTestManager(options: TestManagerOptions = {}): Promise<TestManager> {
  const clock = options.clock ?? systemClock();
  const store = options.store ?? new MemoryStore({ clock });
  const logger = options.logger ?? silentLogger();
  const registry = new Registry();
  const metrics = new ManagerMetrics(
    registry,
    () => services.views.waiting + services.events.following,
  );
  const services: Services = createServices({
    store,
    logger,
    clock,
    prefix: options.prefix ?? '/clusterflux',
    ttlMs: options.ttlMs ?? 15_000,
    history: options.history ?? 10,
    maxDrops: options.maxDrops ?? 5,
    maxEvents: options.maxEvents ?? 1_000,
    placement: {
      minReplication: 3,
      initialNodes: 1,
      outAfterMs: 86_400_000,
      cutLeadMs: 120_000,
      ...options.placement,
    },
  });
  const tokens = options.tokens === undefined ? undefined : parseTokens(options.tokens, 'tokens');
  const stop = new AbortController();
  let isDraining = false;
  const app = await buildApp({
    services,
    store,
    logger,
    metrics,
    registry,
    build: { version: '0.0.0', commit: 'test', node: process.versions.node },
    managerId: 'test-manager',
    startedAt: new Date(clock.nowMs()),
    limits: {
      maxSnapshotBytes: options.maxSnapshotBytes ?? 1024 * 1024,
      longPollMs: options.longPollMs ?? 300_000,
      maxWaiters: options.maxWaiters ?? 1_000,
      maxJsonBytes: 1024 * 1024,
      maxHeaderBytes: 16 * 1024,
      maxConnections: 1_000,
      requestTimeoutMs: 60_000,
      maxAuthFailures: 20,
      ...options.limits,
    },
    ...(tokens === undefined ? {} : { tokens: () => tokens }),
    stop: stop.signal,
    isDraining: () => isDraining,
  });
  if (options.listen === true) await app.listen({ host: '127.0.0.1', port: 0 });
  const port = options.listen === true ? (app.server.address() as AddressInfo).port : 0;
  return {
    app,
    services,
    store,
    metrics,
    url: options.listen === true ? `http://127.0.0.1:${port}` : '',
    drain() {
      isDraining = true;
      services.views.endWaits();
      services.events.endFollowing();
    },
    async close() {
      services.views.close();
      services.liveness.close();
      await services.events.close(200);
      stop.abort();
      await app.close();
      if (options.store === undefined) await store.close();
    },
  };
}
