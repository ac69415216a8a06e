// agent sync: one reconciliation and out. Beside a running agent that one does it; else this process does, in its place and
// by the same rules.
import { access, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError, isAbort, isAppError } from '../../shared/errors/app-error.js';
import { systemClock } from '../../shared/lifecycle/clock.js';
import { lineageOf } from '../../shared/meta/lineage.js';
import { BACKUP_DIRECTORY } from '../assemble.js';
import type { RealInfluxControl } from '../influxd/influx-control.js';
import { openMetaBackups } from '../influxd/meta-backups.js';
import { createHttpMembershipApi } from '../manager-api/http-membership-api.js';
import type { InfluxdFacts } from '../manager-api/membership-port.js';
import { makeReconciler } from '../make-reconciler.js';
import { pausedReport } from '../membership/gated-reconciler.js';
import { OrderBook } from '../membership/orders.js';
import type { OpenPorts } from '../open-ports.js';
import { openPorts } from '../open-ports.js';
import { askForSync } from '../status/control-client.js';
import type { SyncEvent, TickMode, TickReport } from '../sync/port.js';
import { makeReport } from '../sync/report.js';
import { metaWriterOf } from './meta-writer-of.js';
import type { OneOffOptions } from './options.js';
import { whileRegistered } from './registration.js';
import { RETRY_MS, runRounds } from './rounds.js';
import { tellManagers } from './tell.js';

export interface SyncOptions extends OneOffOptions {
  readonly mode: TickMode;
  /** How long to wait for managers, influxd and whoever holds the state directory, in ms; 0: all are tried once. */
  readonly waitMs: number;
}

/** A running agent that reconciles thousands of objects takes its time; one that hangs must not hang the command. */
const AGENT_DEADLINE_MS = 60_000;

const clock = systemClock();

/**
 * Reconciles until nothing more can be done now. Expected trouble is in the report. Throws AppError `manager-unreachable`
 * and `influxd-unreachable` (once the wait is over), `already-running`, `state-unwritable`, `state-not-current`,
 * `config-invalid`, `timeout`, `aborted`.
 */
export async function runSync(options: SyncOptions): Promise<TickReport> {
  const endMs = clock.monotonicMs() + options.waitMs;
  const rest = () => Math.max(0, endMs - clock.monotonicMs());
  if (options.mode.dryRun && (await isUnused(options.config.agent.stateDir))) {
    return inTemporaryState(options, (inner) => syncHere(inner, rest));
  }
  for (;;) {
    try {
      return await syncHere(options, rest);
    } catch (error) {
      if (!isAppError(error, 'already-running')) throw error;
      const report = await syncThere(options, rest());
      if (report !== undefined) return report;
      // Held by another command, or by an agent that just starts or stops.
      if (rest() === 0) throw error;
      await clock.sleep(RETRY_MS, options.signal);
    }
  }
}

// ---- beside a running agent

/** By the agent that holds the state directory; undefined where none listens there. */
async function syncThere(options: SyncOptions, waitMs: number): Promise<TickReport | undefined> {
  const { config, mode, signal } = options;
  const { stateDir, cluster } = config.agent;
  const ask = () => askForSync(mode, { stateDir, deadlineMs: AGENT_DEADLINE_MS, signal });
  const first = await ask();
  if (first.kind === 'no-agent') return undefined;
  let next: TickReport | undefined = first.value;
  const tick = async () => {
    const report = next;
    next = undefined;
    if (report !== undefined) return report;
    const asked = await ask();
    if (asked.kind === 'answered') return asked.value;
    throw new AppError('aborted', 'the running agent, which did the work, was stopped meanwhile');
  };
  return runRounds({ tick, mode, cluster, waitMs, clock, signal });
}

// ---- in the place of an agent

type Rest = () => number;

async function syncHere(options: SyncOptions, rest: Rest): Promise<TickReport> {
  const ports = await openPorts(options.config, options.logger);
  try {
    return await syncWith(ports, options, rest);
  } finally {
    await ports.close();
  }
}

async function syncWith(ports: OpenPorts, options: SyncOptions, rest: Rest): Promise<TickReport> {
  const { config, mode, signal } = options;
  const influxd = mode.offline
    ? undefined
    : await waitForInfluxd(ports.influxd, { ...options, waitMs: rest() });
  const orders = new OrderBook({
    store: ports.base,
    logger: options.logger,
    onChange: () => undefined,
  });
  const events: SyncEvent[] = [];
  if (mode.dryRun) {
    return reconcile(ports, options, { waitMs: rest(), nodeId: undefined, orders, events });
  }
  const api = createHttpMembershipApi(ports.client);
  return whileRegistered(
    { config, api, state: ports.state, orders, clock, influxd, waitMs: rest(), signal },
    async (standing, session) => {
      if (standing.kind === 'refused') return blocked(standing.sentence);
      if (orders.pause !== undefined) return pausedReport(orders.pause);
      const nodeId = standing.id;
      const report = await reconcile(ports, options, { waitMs: rest(), nodeId, orders, events });
      await tellManagers({ ports, options, nodeId, session, influxd, events }, report);
      return report;
    },
  );
}

async function reconcile(
  ports: OpenPorts,
  options: SyncOptions,
  {
    waitMs,
    nodeId,
    orders,
    events,
  }: {
    readonly waitMs: number;
    readonly nodeId: number | undefined;
    readonly orders: OrderBook;
    readonly events: SyncEvent[];
  },
): Promise<TickReport> {
  const { config, mode, logger, signal } = options;
  const { cluster } = config.agent;
  const { reconciler, remoteView } = makeReconciler(ports, {
    config,
    logger,
    writer: metaWriterOf(config, { assumeStopped: mode.offline }),
    nodeId: () => nodeId,
    orders,
    onEvent: (event) => events.push(event),
  });
  const tick = async () => {
    await remoteView.refresh(signal);
    return reconciler.tick(mode, signal);
  };
  const report = await runRounds({ tick, mode, cluster, waitMs, clock, signal });
  if (report.inStep && !mode.offline && !mode.dryRun) await keepCopy(ports.influxd, options);
  return report;
}

/** For `agent restore`, as the running agent keeps them; a server that only ever knows cron lines has them too. */
async function keepCopy(
  influxd: RealInfluxControl,
  { config, logger, signal }: SyncOptions,
): Promise<void> {
  try {
    const file = await influxd.readFile(signal);
    if (file.kind !== 'found') return;
    const backups = openMetaBackups(join(config.agent.stateDir, BACKUP_DIRECTORY));
    await backups.save(file.data, new Date(clock.nowMs()));
  } catch (error) {
    if (isAbort(error)) throw error;
    logger.warn('keeping a copy of meta.db failed', { err: error });
  }
}

/** What the managers are told of it. Throws `influxd-unreachable` where it does not answer within the wait. */
async function waitForInfluxd(
  influxd: RealInfluxControl,
  { config, waitMs, signal }: Pick<SyncOptions, 'config' | 'waitMs' | 'signal'>,
): Promise<InfluxdFacts | undefined> {
  const endMs = clock.monotonicMs() + waitMs;
  while ((await influxd.ping(signal)) === undefined) {
    if (clock.monotonicMs() >= endMs) {
      throw new AppError(
        'influxd-unreachable',
        `influxd at ${config.influxdb.url} does not answer: start it, or, where it is stopped on purpose, add --offline, which writes ${config.influxdb.metaDir}/meta.db for its next start`,
        { retryable: true },
      );
    }
    await clock.sleep(RETRY_MS, signal);
  }
  return factsOf(influxd, signal);
}

async function factsOf(
  influxd: RealInfluxControl,
  signal: AbortSignal,
): Promise<InfluxdFacts | undefined> {
  try {
    const { started } = await influxd.diagnostics(signal);
    const { clusterId, term, index } = lineageOf(await influxd.readMemory(signal));
    return { clusterId, term, index, started: started ?? '' };
  } catch (error) {
    if (isAbort(error)) throw error;
    // Not allowed to ask, or the backup port is off: the tick says so in its own words, and the registry can do without.
    return undefined;
  }
}

function blocked(sentence: string): TickReport {
  return makeReport({ outcome: 'blocked', sentence, version: 0 });
}

// ---- a dry run that leaves no trace

/** True where no agent has used the directory yet: a dry run makes no identity for one. */
async function isUnused(stateDir: string): Promise<boolean> {
  const isAbsent = await access(stateDir).then(
    () => false,
    () => true, // not there, or not for us: then opening it would fail in its own words, which a dry run can do without
  );
  return isAbsent || (await readdir(stateDir)).length === 0;
}

async function inTemporaryState<T>(
  options: SyncOptions,
  work: (options: SyncOptions) => Promise<T>,
): Promise<T> {
  const stateDir = await mkdtemp(join(tmpdir(), 'clusterflux-dry-run-'));
  try {
    const { config } = options;
    return await work({ ...options, config: { ...config, agent: { ...config.agent, stateDir } } });
  } finally {
    await rm(stateDir, { recursive: true, force: true });
  }
}
