// Starts the built programs as users run them, waits until they say that they are ready, and ends them with the bench.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { TestInfluxd } from '../../test/support/influxd.js';
import { temporaryDirectory, type TemporaryDirectory } from '../../test/support/temp-dir.js';

export interface Program {
  readonly pid: number;
  /** A manager's API, an agent's status server. */
  readonly url: string;
  /** An agent's gateway; '' for everything else. */
  readonly gatewayUrl: string;
  /** From the spawn to its ready file, in ms; exact to 2 ms. */
  readonly readyMs: number;
  /** After a garbage collection; only for programs that were started with `isProbed`. */
  memory(): Promise<NodeJS.MemoryUsage>;
  /** SIGTERM, until it is gone; its files go too. */
  stop(): Promise<void>;
}

export interface ProgramOptions {
  /** Configuration keys as environment variables. */
  readonly env: Readonly<Record<string, string>>;
  /** Makes `memory` work. */
  readonly isProbed?: boolean;
}

const LAUNCHER = fileURLToPath(new URL('../../bin/clusterflux', import.meta.url));
const PROBE = new URL('memory-probe.mjs', import.meta.url).href;
const READY_WITHIN_MS = 20_000;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A manager over etcd, or over the embedded store where no endpoint is given. */
export async function startManager(
  endpoints: readonly string[] | undefined,
  { env, isProbed = false }: ProgramOptions = { env: {} },
): Promise<Program> {
  const directory = await temporaryDirectory('manager');
  const store =
    endpoints === undefined
      ? { CLUSTERFLUX_MANAGER_DATA_DIR: join(directory.path, 'data') }
      : { CLUSTERFLUX_MANAGER_STORE: 'etcd', CLUSTERFLUX_ETCD_ENDPOINTS: endpoints.join(',') };
  const bind = {
    CLUSTERFLUX_MANAGER_BIND_ADDRESS: '127.0.0.1:0',
    CLUSTERFLUX_MANAGER_DRAIN_DELAY: '0s',
  };
  return startProgram('manager', directory, { env: { ...bind, ...store, ...env }, isProbed });
}

/** An agent beside a real influxd. `more`: configuration keys as environment variables. */
export async function startAgent(
  manager: Program,
  influxd: TestInfluxd,
  more: Readonly<Record<string, string>> = {},
): Promise<Program> {
  const directory = await temporaryDirectory('agent');
  const state = join(directory.path, 'state');
  await mkdir(state);
  const env = {
    CLUSTERFLUX_AGENT_CLUSTER: 'bench',
    CLUSTERFLUX_AGENT_ENDPOINTS: manager.url,
    CLUSTERFLUX_AGENT_STATE_DIR: state,
    CLUSTERFLUX_AGENT_BIND_ADDRESS: '127.0.0.1:0',
    CLUSTERFLUX_GATEWAY_BIND_ADDRESS: '127.0.0.1:0',
    CLUSTERFLUX_INFLUXDB_URL: influxd.url,
    CLUSTERFLUX_INFLUXDB_META_DIR: influxd.metaDir,
    CLUSTERFLUX_INFLUXDB_SNAPSHOT_ADDRESS: influxd.snapshotAddress,
    ...more,
  };
  return startProgram('agent', directory, { env });
}

/** The reference for fan-out: node:http without anything around it. */
export async function startBareServer(): Promise<Program> {
  const started = performance.now();
  const server = fileURLToPath(new URL('bare-server.mjs', import.meta.url));
  const child = spawn(process.execPath, ['--expose-gc', '--import', PROBE, server], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  track(child);
  const [url] = (await once(child, 'message')) as [string];
  return {
    pid: child.pid ?? 0,
    url,
    gatewayUrl: '',
    readyMs: performance.now() - started,
    memory: () => memoryOf(child),
    stop: () => end(child),
  };
}

async function startProgram(
  kind: 'manager' | 'agent',
  directory: TemporaryDirectory,
  { env, isProbed = false }: ProgramOptions,
): Promise<Program> {
  const readyFile = join(directory.path, 'ready.json');
  const logFile = join(directory.path, 'log');
  const log = await open(logFile, 'a');
  const probe = isProbed ? ['--expose-gc', '--import', PROBE] : [];
  const started = performance.now();
  const child = spawn(process.execPath, [...probe, LAUNCHER, kind, '--ready-file', readyFile], {
    cwd: directory.path,
    // Settings of the caller's shell must not leak into a measurement.
    env: { PATH: process.env['PATH'], HOME: directory.path, ...env },
    stdio: ['ignore', log.fd, log.fd, ...(isProbed ? (['ipc'] as const) : [])],
  });
  track(child);
  await log.close();
  const ready = await untilReady(child, readyFile, logFile);
  return {
    pid: child.pid ?? 0,
    url: ready.manager ?? ready.status ?? '',
    gatewayUrl: ready.gateway ?? '',
    readyMs: performance.now() - started,
    memory: () => memoryOf(child),
    stop: async () => {
      await end(child);
      await directory.remove();
    },
  };
}

function track(child: ChildProcess): void {
  running.add(child);
  child.once('exit', () => running.delete(child));
}

async function memoryOf(child: ChildProcess): Promise<NodeJS.MemoryUsage> {
  child.send('memory');
  const [usage] = (await once(child, 'message')) as [NodeJS.MemoryUsage];
  return usage;
}

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

/** Of the ready file. */
interface Ready {
  readonly manager?: string;
  readonly status?: string;
  readonly gateway?: string | null;
}

async function untilReady(child: ChildProcess, readyFile: string, logFile: string): Promise<Ready> {
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    // Not there yet: looked for again, until the deadline.
    const text = await readFile(readyFile, 'utf8').catch(() => undefined);
    if (text !== undefined) return JSON.parse(text) as Ready;
    if (hasEnded(child) || performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`a program did not get ready; its log:\n${await readFile(logFile, 'utf8')}`);
    }
    await delay(2);
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
