// The composition root of the manager: store, services, HTTP API, and the loops beside them; and the order in which they end.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Registry } from 'prom-client';
import {
  addressUrl,
  advertisedAddress,
  formatAddress,
  type Address,
} from '../shared/config/address.js';
import { assertMayListen, mayListenWide } from '../shared/config/checks.js';
import type { Config } from '../shared/config/config.js';
import { AppError } from '../shared/errors/app-error.js';
import type { BuildInfo } from '../shared/lifecycle/build-info.js';
import { systemClock, type Clock } from '../shared/lifecycle/clock.js';
import { createReadyFile, type ReadyFile } from '../shared/lifecycle/ready-file.js';
import { DEFAULT_LIMITS_MS, runGroup, type Runnable } from '../shared/lifecycle/run-group.js';
import type { Logger } from '../shared/log/logger.js';
import { buildApp, type App } from './http/app.js';
import type { TlsOptions } from './http/deps.js';
import { listen } from './listen.js';
import { Caretaker } from './maintenance/caretaker.js';
import { Maintenance } from './maintenance/maintenance.js';
import { ManagerMetrics, measuredStore } from './metrics.js';
import { Presence } from './nodes/presence.js';
import type { ManagerRecord } from './nodes/records.js';
import { openStore, readPem, type OpenedStore } from './open-store.js';
import { createServices, type Services } from './services.js';
import type { Store } from './store/port.js';

export interface ManagerOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Path of `--ready-file`. */
  readonly readyFile: string | undefined;
  /** Aborted when the manager shall stop. */
  readonly signal: AbortSignal;
  readonly build: BuildInfo;
}

/** How long requests that are under way may go on once the manager listens no more. */
const FINISH_MS = 1_000;

/** Taking the own record away is a courtesy; its lease ends anyway. */
const LEAVE_MS = 500;

/**
 * Runs a manager until the signal is aborted; resolves to the exit code. Throws AppError for what keeps it from starting:
 * `address-in-use`, `already-running`, `state-unwritable`, `config-invalid`. A store out of reach is not among them.
 */
export async function runManager(options: ManagerOptions): Promise<number> {
  const { config, logger, signal } = options;
  refuseUnsupported(config);
  const readyFile = createReadyFile(options.readyFile);
  // One that a crash left would claim that this manager is ready.
  await readyFile.remove();
  const tls = await readTls(config.manager);
  const opened = await openStore(config, logger);
  try {
    const parts = assemble(options, opened);
    const { app, stop, draining } = await openApp(options, parts, tls);
    const bound = await listen(app, config.manager.bindAddress);
    const url = addressUrl(bound, tls === undefined ? 'http' : 'https');
    logger.info('listening', { target: url, store: parts.store.location });
    const drain: Drain = { draining, readyFile, url, delayMs: config.manager.drainDelayMs };
    const runnables: Runnable[] = [
      readiness(drain, parts, logger),
      { name: 'http', phase: 'ingress', stop: () => closeApp(app, parts.services, stop) },
      ...loops(options, parts, opened, bound),
      { name: 'store', phase: 'ports', stop: () => parts.store.close() },
    ];
    const limitsMs = { drain: drain.delayMs + DEFAULT_LIMITS_MS.drain };
    return await runGroup(runnables, { logger, signal, limitsMs });
  } catch (error) {
    // Closing twice is fine: a failure before the group runs would else leave the store open.
    await opened.store.close();
    throw error;
  }
}

/** Security that this release does not have must not look as if it were on. */
function refuseUnsupported({ manager }: Config): void {
  assertMayListen('manager.bind-address', manager.bindAddress, mayListenWide(manager));
  if (manager.tokenFile === undefined) return;
  throw new AppError(
    'config-invalid',
    'manager.token-file is set, and this release does not check tokens yet; remove it, and listen on loopback or use manager.client-ca-file',
  );
}

interface Parts {
  readonly managerId: string;
  readonly store: Store;
  readonly services: Services;
  readonly metrics: ManagerMetrics;
  readonly clock: Clock;
}

function assemble({ config, logger, registry }: ManagerOptions, opened: OpenedStore): Parts {
  const clock = systemClock();
  const metrics = new ManagerMetrics(registry, () => services.views.waiting);
  const store = measuredStore(opened.store, metrics);
  const { prefix, ttlMs } = config.etcd;
  const { history } = config.manager;
  const services: Services = createServices({ store, logger, clock, prefix, ttlMs, history });
  return { managerId: randomUUID(), store, services, metrics, clock };
}

async function openApp(
  { config, logger, registry, build }: ManagerOptions,
  { managerId, store, services, metrics }: Parts,
  tls: TlsOptions | undefined,
): Promise<{ app: App; stop: AbortController; draining: AbortController }> {
  const stop = new AbortController();
  const draining = new AbortController();
  const { maxSnapshotBytes, longPollMs, maxWaiters } = config.manager;
  const app = await buildApp({
    services,
    store,
    logger,
    metrics,
    registry,
    build,
    managerId,
    startedAt: new Date(),
    ...(tls === undefined ? {} : { tls }),
    limits: { maxSnapshotBytes, longPollMs, maxWaiters },
    stop: stop.signal,
    isDraining: () => draining.signal.aborted,
  });
  return { app, stop, draining };
}

interface Drain {
  readonly draining: AbortController;
  readonly readyFile: ReadyFile;
  readonly url: string;
  readonly delayMs: number;
}

/** Ready: listening, and the store has answered once. Stopping begins by taking that back. */
function readiness(
  { draining, readyFile, url, delayMs }: Drain,
  { services, clock }: Parts,
  logger: Logger,
): Runnable {
  return {
    name: 'readiness',
    phase: 'drain',
    start: async (signal) => {
      await services.contact.answered(signal);
      await readyFile.write({ manager: url, pid: process.pid });
      logger.info('ready', { target: url });
    },
    stop: async () => {
      draining.abort();
      await readyFile.remove();
      services.views.endWaits();
      await clock.sleep(delayMs);
    },
  };
}

function loops(
  { config, logger, build }: ManagerOptions,
  { managerId, store, services, metrics, clock }: Parts,
  { etcd }: OpenedStore,
  bound: Address,
): Runnable[] {
  const { keys, contact, ttlSeconds } = services;
  const advertised = advertisedAddress(bound, config.manager.advertiseAddress);
  const record: ManagerRecord = {
    id: managerId,
    hostname: hostname(),
    ip: advertised.host,
    bindAddress: formatAddress(advertised),
    version: build.version,
  };
  const key = keys.manager(managerId);
  const presence = new Presence({ store, key, record, contact, clock, ttlSeconds });
  const caretaker =
    etcd === undefined
      ? undefined
      : new Caretaker({
          store,
          etcd,
          key: keys.caretaker,
          managerId,
          lease: () => presence.currentLease,
          logger,
        });
  const maintenance = new Maintenance({ services, metrics, caretaker, clock, logger });
  return [
    {
      name: 'presence',
      phase: 'workers',
      start: (signal) => presence.run(signal),
      stop: () => leave(presence, logger),
    },
    { name: 'maintenance', phase: 'workers', start: (signal) => maintenance.run(signal) },
  ];
}

async function leave(presence: Presence, logger: Logger): Promise<void> {
  try {
    await presence.leave(AbortSignal.timeout(LEAVE_MS));
  } catch (error) {
    logger.debug('the own record could not be taken away, it ends with its lease', { err: error });
  }
}

/** No new connections; what is under way may finish, but not for long. */
async function closeApp(app: App, services: Services, stop: AbortController): Promise<void> {
  const timer = setTimeout(() => {
    stop.abort();
    app.server.closeAllConnections();
  }, FINISH_MS);
  await app.close();
  clearTimeout(timer);
  stop.abort();
  services.views.close();
}

async function readTls(manager: Config['manager']): Promise<TlsOptions | undefined> {
  const [cert, key, clientCa] = await Promise.all([
    readPem('manager.cert-file', manager.certFile),
    readPem('manager.key-file', manager.keyFile),
    readPem('manager.client-ca-file', manager.clientCaFile),
  ]);
  return cert === undefined || key === undefined ? undefined : { cert, key, clientCa };
}
