// Starts real InfluxDB 1.x servers for tests: own directories, free loopback ports, quick to start, gone at the end.
// It knows nothing of ClusterFlux, so that what it reports is influxd's own view.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { killAtExit } from './at-exit.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { temporaryDirectory } from './temp-dir.js';

/** Sections and keys of influxdb.conf, e.g. `{ retention: { 'check-interval': '1s' } }`; section '' is the top level. */
export type InfluxdConfig = Record<string, Record<string, string | number | boolean>>;

export interface InfluxdOptions {
  /** Where meta/, data/, wal/, influxdb.conf and influxd.log go; a temporary directory where absent. */
  readonly dir?: string;
  readonly authEnabled?: boolean;
  readonly bindHost?: string;
  /** Free ports are picked where absent. */
  readonly httpPort?: number;
  readonly snapshotPort?: number;
  /** True: the monitor creates and fills `_internal`, as it does by default outside tests. */
  readonly internal?: boolean;
  /** Added to the configuration, over what the options above say. */
  readonly config?: InfluxdConfig;
}

/** One series of a query's answer; integers above 2^53 lose digits here. */
export interface ResultSeries {
  readonly name?: string;
  readonly tags?: Record<string, string>;
  readonly columns: string[];
  readonly values?: unknown[][];
}
export interface QueryResult {
  readonly series?: ResultSeries[];
  readonly messages?: unknown[];
}
export interface QueryOptions {
  readonly db?: string;
  /** Further URL parameters, e.g. `epoch`, `u` and `p`. */
  readonly params?: Record<string, string>;
}

export interface TestInfluxd {
  readonly url: string;
  readonly httpPort: number;
  readonly snapshotPort: number;
  readonly snapshotAddress: string;
  readonly dir: string;
  readonly metaDir: string;
  readonly dataDir: string;
  readonly configFile: string;
  /** Of the running process; undefined while stopped. */
  readonly pid: number | undefined;
  /** Again, on the same directories and ports. */
  start(): Promise<void>;
  /** SIGTERM, and waits until the process is gone. */
  stop(): Promise<void>;
  kill9(): Promise<void>;
  /** SIGSTOP and SIGCONT: alive, and answering nobody. */
  pause(): void;
  resume(): void;
  /** Runs statements by POST; throws influxd's own error text. */
  query(q: string, options?: QueryOptions): Promise<QueryResult[]>;
  /** The first column of the first statement's rows, as text: names of databases, of measurements ... */
  names(q: string, options?: QueryOptions): Promise<string[]>;
  /** Writes lines of line protocol; `db` may be `database/policy`. */
  write(db: string, lines: string | string[]): Promise<void>;
  /** Everything that influxd logged so far. */
  log(): Promise<string>;
  /** Ends the process, by force, and removes its directory (also done when the test run ends). */
  remove(): Promise<void>;
}

const START_DEADLINE_MS = 15_000;
const STOP_DEADLINE_MS = 10_000;
const REQUEST_DEADLINE_MS = 10_000;
/** A free port can be taken by somebody else before influxd binds it. */
const PORT_ATTEMPTS = 3;

let hooked = false;
let announced = false;

export async function startInfluxd(options: InfluxdOptions = {}): Promise<TestInfluxd> {
  const program = findInfluxd();
  exitOnTerm();
  const picksPorts = options.httpPort === undefined || options.snapshotPort === undefined;
  for (let attempt = 1; ; attempt += 1) {
    const temporary = options.dir === undefined ? await temporaryDirectory('influxd') : undefined;
    const dir = options.dir ?? temporary?.path ?? '';
    const server = new InfluxdProcess(program, dir, {
      host: options.bindHost ?? '127.0.0.1',
      httpPort: options.httpPort ?? (await freePort()),
      snapshotPort: options.snapshotPort ?? (await freePort()),
      removeDir: () => temporary?.remove() ?? fs.rm(dir, { recursive: true, force: true }),
    });
    try {
      await server.configure(options);
      await server.start();
      return server;
    } catch (error) {
      await server.kill9();
      await temporary?.remove();
      const taken = error instanceof Error && error.message.includes('address already in use');
      if (!taken || !picksPorts || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

interface Place {
  readonly host: string;
  readonly httpPort: number;
  readonly snapshotPort: number;
  removeDir(): Promise<void>;
}

class InfluxdProcess implements TestInfluxd {
  readonly url: string;
  readonly httpPort: number;
  readonly snapshotPort: number;
  readonly snapshotAddress: string;
  readonly metaDir: string;
  readonly dataDir: string;
  readonly configFile: string;
  private readonly logFile: string;
  private child: ChildProcess | undefined;

  constructor(
    private readonly program: string,
    readonly dir: string,
    private readonly place: Place,
  ) {
    this.httpPort = place.httpPort;
    this.snapshotPort = place.snapshotPort;
    this.url = `http://${place.host}:${place.httpPort}`;
    this.snapshotAddress = `${place.host}:${place.snapshotPort}`;
    this.metaDir = path.join(dir, 'meta');
    this.dataDir = path.join(dir, 'data');
    this.configFile = path.join(dir, 'influxdb.conf');
    this.logFile = path.join(dir, 'influxd.log');
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  async configure(options: InfluxdOptions): Promise<void> {
    const config: InfluxdConfig = {
      '': { 'reporting-disabled': true, 'bind-address': this.snapshotAddress },
      meta: { dir: this.metaDir },
      data: {
        dir: this.dataDir,
        'wal-dir': path.join(this.dir, 'wal'),
        'query-log-enabled': false,
      },
      http: {
        'bind-address': `${this.place.host}:${this.place.httpPort}`,
        'auth-enabled': options.authEnabled ?? false,
        'log-enabled': false,
      },
      monitor: { 'store-enabled': options.internal ?? false },
    };
    for (const [section, values] of Object.entries(options.config ?? {})) {
      config[section] = { ...config[section], ...values };
    }
    await fs.mkdir(this.dir, { recursive: true });
    await fs.writeFile(this.configFile, renderConfig(config));
  }

  async start(): Promise<void> {
    if (this.child) throw new Error(`influxd on ${this.url} runs already`);
    const log = await fs.open(this.logFile, 'a');
    const child = spawn(this.program, ['-config', this.configFile], {
      stdio: ['ignore', log.fd, log.fd],
      // Settings of the caller's shell must not leak into a test.
      env: { PATH: process.env.PATH, HOME: this.dir },
    });
    await log.close();
    this.child = child;
    killAtExit(child);
    child.once('exit', () => {
      if (this.child === child) this.child = undefined;
    });
    try {
      await eventually(() => this.hasSettled(child), {
        withinMs: START_DEADLINE_MS,
        what: `influxd on ${this.url} answers`,
      });
    } catch (error) {
      throw new Error(`starting influxd on ${this.url}: ${await this.log()}`, { cause: error });
    }
    if (hasExited(child)) throw new Error(`influxd exited at its start: ${await this.log()}`);
  }

  /** True as soon as it answers, or has exited and never will. */
  private async hasSettled(child: ChildProcess): Promise<boolean> {
    if (hasExited(child)) return true;
    const signal = AbortSignal.timeout(1000);
    // Refused until the port is bound: the caller asks again.
    const answer = await fetch(`${this.url}/ping`, { signal }).catch(() => undefined);
    await answer?.body?.cancel();
    return answer?.status === 204;
  }

  async stop(): Promise<void> {
    await this.end('SIGTERM');
  }

  async kill9(): Promise<void> {
    await this.end('SIGKILL');
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    if (!child) return;
    const exited = once(child, 'exit');
    // A paused process takes SIGTERM only when it goes on.
    child.kill('SIGCONT');
    child.kill(signal);
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
    await exited;
    clearTimeout(force);
    this.child = undefined;
  }

  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  async query(q: string, options: QueryOptions = {}): Promise<QueryResult[]> {
    const params = new URLSearchParams({
      ...(options.db === undefined ? {} : { db: options.db }),
      ...options.params,
    });
    const answer = await fetch(`${this.url}/query?${params.toString()}`, {
      method: 'POST',
      body: new URLSearchParams({ q }),
      signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
    });
    const body = (await answer.json()) as {
      error?: string;
      results?: (QueryResult & { error?: string })[];
    };
    const results = body.results ?? [];
    const error = body.error ?? results.find((result) => result.error !== undefined)?.error;
    if (error !== undefined) throw new Error(error);
    return results;
  }

  async names(q: string, options: QueryOptions = {}): Promise<string[]> {
    const [result] = await this.query(q, options);
    return (result?.series ?? []).flatMap((series) =>
      (series.values ?? []).map((row) => String(row[0])),
    );
  }

  async write(db: string, lines: string | string[]): Promise<void> {
    const slash = db.indexOf('/');
    const params = new URLSearchParams(
      slash < 0 ? { db } : { db: db.slice(0, slash), rp: db.slice(slash + 1) },
    );
    const answer = await fetch(`${this.url}/write?${params.toString()}`, {
      method: 'POST',
      body: typeof lines === 'string' ? lines : lines.join('\n'),
      signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
    });
    const text = await answer.text();
    if (answer.status !== 204) throw new Error(`writing to ${db}: ${answer.status} ${text}`);
  }

  log(): Promise<string> {
    // There is no log before the first start.
    return fs.readFile(this.logFile, 'utf8').catch(() => '');
  }

  async remove(): Promise<void> {
    await this.kill9();
    await this.place.removeDir();
  }
}

/** In $PATH, else what `make deps` put into .tools. Throws where there is none, or one of another line than 1.6 to 1.8. */
function findInfluxd(): string {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const folders = [...(process.env.PATH ?? '').split(':'), path.join(root, '.tools/usr/bin')];
  const program = folders
    .map((folder) => path.join(folder, 'influxd'))
    .find((file) => existsSync(file));
  if (program === undefined)
    throw new Error('no influxd in $PATH or .tools/usr/bin: run `make deps`');
  if (announced) return program;
  const said = spawnSync(program, ['version'], {
    encoding: 'utf8',
    timeout: START_DEADLINE_MS,
  }).stdout.trim();
  if (!/ v?1\.[678]\./.test(said))
    throw new Error(`${program} is "${said}"; the tests need InfluxDB 1.6, 1.7 or 1.8`);
  announced = true;
  console.log(`    influxd: ${said}`);
  return program;
}

function renderConfig(config: InfluxdConfig): string {
  const lines: string[] = [];
  for (const [section, values] of Object.entries(config)) {
    if (section !== '') lines.push('', `[${section}]`);
    for (const [key, value] of Object.entries(values))
      lines.push(`${key} = ${JSON.stringify(value)}`);
  }
  return `${lines.join('\n')}\n`;
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Without a listener SIGTERM would end this process at once, and nothing would be killed at its exit. */
function exitOnTerm(): void {
  if (hooked) return;
  hooked = true;
  process.once('SIGTERM', () => process.exit(143));
}
