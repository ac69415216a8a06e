// `make demo`: three real influxd, their agents and a manager on this machine, a few changes that travel between them, and then
// everything stays up until Ctrl-C. STORE=etcd keeps the state in a real etcd; ONCE=1 ends by itself, with 0 only where all arrived.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepAtExit, removeAtExit } from '../../test/support/at-exit.js';
import { checkout } from '../../test/support/build.js';
import { startCluster, type TestCluster } from '../../test/support/cluster.js';
import { bringUser, play } from './play.js';
import { playPoints } from './points.js';
import { isComplete, writeRecord, type DemoResult } from './record.js';
import { Screen } from './screen.js';
import { watchProcesses } from './watch.js';

type Store = 'embedded' | 'etcd';

/** ONCE=1 ends by then, whatever hangs. */
const ONCE_WITHIN_MS = 90_000;

const EXIT_INTERRUPTED = 130;

const screen = new Screen((text) => process.stdout.write(text));

/** Aborted by Ctrl-C once all is up; before that, Ctrl-C ends this process at once, and what it started with it. */
const stopping = new AbortController();

let isUp = false;

function onSignal(): void {
  if (isUp && !stopping.signal.aborted) {
    stopping.abort();
    return;
  }
  // Twice, or before all is up: the exit listeners of test/support end every process and remove its data.
  screen.line('\nended');
  process.exit(EXIT_INTERRUPTED);
}

async function main(): Promise<number> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  // Whoever read the output is gone, as in `make demo | head`: so the demo has no reader any more.
  process.stdout.on('error', () => process.exit(1));
  const store = storeOf(process.env['STORE']);
  const isOnce = !['', '0', undefined].includes(process.env['ONCE']);
  if (isOnce) endLate();
  screen.title(store);
  const began = performance.now();
  const dir = await mkdtemp(join(tmpdir(), 'clusterflux-demo-'));
  removeAtExit(dir);
  const cluster = await start(store, dir);
  const startedInMs = performance.now() - began;
  isUp = true;
  keepAtExit(dir);
  try {
    screen.up(cluster, startedInMs);
    const result = await Promise.race([show(cluster, startedInMs), whenStopped()]);
    if (result === undefined) return EXIT_INTERRUPTED;
    await writeRecord(cluster, store, result);
    screen.hints(cluster, dir);
    if (isOnce) return judge(result);
    screen.line('Everything stays up until Ctrl-C.');
    await watchProcesses(cluster, screen, stopping.signal);
    return 0;
  } finally {
    await cluster.stop();
    screen.line(`\nall processes are ended and their data is removed; what is left is in ${dir}`);
  }
}

function start(store: Store, dir: string): Promise<TestCluster> {
  return startCluster({
    store,
    dir,
    name: 'demo',
    launcher: join(checkout, 'bin/clusterflux'),
    // Ctrl-C is ours to pass on, in an order.
    detached: true,
    config: { log: { level: 'info' } },
  });
}

async function show(cluster: TestCluster, startedInMs: number): Promise<DemoResult> {
  const changes = await play(cluster, screen);
  screen.beforeOffline();
  const offline = await bringUser(cluster, screen);
  screen.beforePoints();
  const points = await playPoints(cluster, screen);
  return { startedInMs, changes, offline, points };
}

function judge(result: DemoResult): number {
  if (isComplete(result)) {
    screen.line('everything arrived everywhere');
    return 0;
  }
  screen.line('not everything arrived everywhere');
  return 1;
}

function whenStopped(): Promise<undefined> {
  return new Promise((resolve) => {
    stopping.signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

function storeOf(text: string | undefined): Store {
  if (text === undefined || text === '' || text === 'embedded') return 'embedded';
  if (text === 'etcd') return 'etcd';
  screen.line(`STORE is "${text}"; it can be embedded or etcd`);
  process.exit(2);
}

function endLate(): void {
  const timer = setTimeout(() => {
    screen.line(`not done within ${ONCE_WITHIN_MS / 1000} s`);
    process.exit(1);
  }, ONCE_WITHIN_MS);
  // It shall not keep a process alive that is done.
  timer.unref();
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    screen.line(`demo: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
