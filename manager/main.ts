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
import type { BuildInfo } from '../shared/lifecycle/build-info.js';
import { systemClock, type Clock } from '../shared/lifecycle/clock.js';
import { createReadyFile, type ReadyFile } from '../shared/lifecycle/ready-file.js';
import { DEFAULT_LIMITS_MS, runGroup, type Runnable } from '../shared/lifecycle/run-group.js';
import type { Logger } from '../shared/log/logger.js';
import { firstLook } from './first-look.js';
import { buildApp, type App } from './http/app.js';
import { listen } from './listen.js';
import { Caretaker } from './maintenance/caretaker.js';
import { Maintenance } from './maintenance/maintenance.js';
import { QuotaWatch } from './maintenance/quota-watch.js';
import { ManagerMetrics, measuredStore } from './metrics.js';
import { Presence } from './nodes/presence.js';
import type { ManagerRecord } from './nodes/records.js';
import { openSecurity, type Security } from './open-security.js';
import { openStore, type OpenedStore } from './open-store.js';
import { createServices, type Services } from './services.js';
import { StoreGate } from './store/archive/closed.js';
import { Keys } from './store/keys.js';
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

/** How long what is still to be told may take when the manager stops. */
const TELL_MS = 500;

/** Taking the own record away is a courtesy; its lease ends anyway. */
const LEAVE_MS = 500;

/**
 * Runs a manager until the signal is aborted; resolves to the exit code. Throws AppError for what keeps it from starting:
 * `address-in-use`, `already-running`, `state-unwritable`, `config-invalid`, `store-closed`, `store-format-unknown`. A store
 * out of reach is not among them.
 */
export async function runManager(options: ManagerOptions): Promise<number> {
  const { config, logger, signal } = options;
  assertMayListen(
    'manager.bind-address',
    config.manager.bindAddress,
    mayListenWide(config.manager),
  );
  const security = await openSecurity(config.manager, { logger, clock: systemClock() });
  const readyFile = createReadyFile(options.readyFile);
  // One that a crash left would claim that this manager is ready.
  await readyFile.remove();
  const opened = await openStore(config, logger);
  try {
    const parts = assemble(options, opened);
    const { app, stop, draining } = await openApp(options, parts, security);
    const bound = await listen(app, config.manager.bindAddress);
    const url = addressUrl(bound, security.tls === undefined ? 'http' : 'https');
    logger.info('listening', { target: url, store: parts.store.location });
    const drain: Drain = { draining, readyFile, url, delayMs: config.manager.drainDelayMs };
    const runnables: Runnable[] = [
      readiness(drain, parts, logger),
      { name: 'http', phase: 'ingress', stop: () => closeApp(app, parts.services, stop) },
      ...loops(options, parts, opened, bound),
      ...security.runnables,
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

interface Parts {
  readonly managerId: string;
  readonly store: Store;
  readonly gate: StoreGate;
  readonly services: Services;
  readonly metrics: ManagerMetrics;
  readonly clock: Clock;
}

function assemble({ config, logger, registry }: ManagerOptions, opened: OpenedStore): Parts {
  const clock = systemClock();
  const metrics = new ManagerMetrics(
    registry,
    () => services.views.waiting + services.events.following,
  );
  const { prefix, ttlMs } = config.etcd;
  const gate = new StoreGate(opened.store, new Keys(prefix));
  const store = measuredStore(gate.guarded(), metrics);
  const { history, maxEvents } = config.manager;
  const { maxDrops } = config.guard;
  const services: Services = createServices({
    store,
    logger,
    clock,
    prefix,
    ttlMs,
    history,
    maxDrops,
    maxEvents,
    placement: config.placement,
  });
  return { managerId: randomUUID(), store, gate, services, metrics, clock };
}

async function openApp(
  { config, logger, registry, build }: ManagerOptions,
  { managerId, store, services, metrics }: Parts,
  { tls, tokens }: Security,
): Promise<{ app: App; stop: AbortController; draining: AbortController }> {
  const stop = new AbortController();
  const draining = new AbortController();
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
    ...(tokens === undefined ? {} : { tokens }),
    limits: config.manager,
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
  { store, gate, services, clock, managerId }: Parts,
  logger: Logger,
): Runnable {
  return {
    name: 'readiness',
    phase: 'drain',
    start: async (signal) => {
      await gate.opened(clock, signal);
      await services.contact.answered(signal);
      await firstLook({ store, services, managerId, logger }, signal);
      await readyFile.write({ manager: url, pid: process.pid });
      logger.info('ready', { target: url });
    },
    stop: async () => {
      draining.abort();
      await readyFile.remove();
      services.views.endWaits();
      services.events.endFollowing();
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
  const { quotaBytes } = config.etcd;
  const quota =
    etcd === undefined
      ? undefined
      : new QuotaWatch({ usage: (signal) => etcd.usage(signal), quotaBytes, metrics, logger });
  const maintenance = new Maintenance({ services, metrics, caretaker, quota, clock, logger });
  return [
    {
      name: 'presence',
      phase: 'workers',
      start: (signal) => presence.run(signal),
      stop: () => leave(presence, logger),
    },
    { name: 'maintenance', phase: 'workers', start: (signal) => maintenance.run(signal) },
    {
      name: 'liveness',
      phase: 'workers',
      start: (signal) => services.liveness.run(signal),
      stop: () => {
        services.liveness.close();
        return Promise.resolve();
      },
    },
    { name: 'events', phase: 'workers', stop: () => services.events.close(TELL_MS) },
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
