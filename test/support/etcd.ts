// Starts a real etcd, of one or three members, on free ports of loopback; its data goes when it is stopped.
// It refuses versions below 3.4, and never turns off fsync: what the tests see is what a real one does.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { killAtExit } from './at-exit.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { findProgram } from './programs.js';
import { temporaryDirectory } from './temp-dir.js';

export interface EtcdOptions {
  /** One where absent. */
  readonly members?: 1 | 3;
  /** Kept after `stop`; a temporary directory, removed by `stop`, where absent. */
  readonly dataDir?: string;
  /** Further flags: `--quota-backend-bytes=…`. */
  readonly flags?: readonly string[];
}

/** A running etcd. Where a method takes a member's index, all members are meant without it. */
export interface Etcd {
  /** One URL for each member. */
  readonly endpoints: readonly string[];
  /** The client port of each member. */
  readonly ports: readonly number[];
  /** The process of each member; undefined while it does not run. */
  readonly pids: readonly (number | undefined)[];
  readonly version: string;
  /** The directory of each member's data; to be copied and swapped only while the member does not run. */
  readonly dataDirs: readonly string[];
  /** Ends it and removes its data. */
  stop(): Promise<void>;
  kill9(member?: number): Promise<void>;
  /** Starts what does not run, and kills (-9) and starts what runs: the same data, the same ports. */
  restart(member?: number): Promise<void>;
  /** Freezes it (SIGSTOP): connections stay open and nothing is answered. Resolves when it is frozen. */
  pause(member?: number): Promise<void>;
  resume(member?: number): void;
}

const START_TIMEOUT_MS = 15_000;

/** A free port may be taken by somebody else before etcd listens on it. */
const START_ATTEMPTS = 3;

export async function startEtcd(options: EtcdOptions = {}): Promise<Etcd> {
  const program = await findProgram('etcd');
  const version = await checkedVersion(program);
  const temporary = await temporaryDirectory('etcd');
  const directory = options.dataDir ?? temporary.path;
  for (let attempt = 1; ; attempt++) {
    const members = await planMembers(options, directory, temporary.path);
    try {
      await startAll(program, members);
      return handleOf(program, members, version, () => temporary.remove());
    } catch (error) {
      await Promise.all(members.map((member) => member.kill9()));
      if (attempt === START_ATTEMPTS) {
        await temporary.remove();
        throw error;
      }
    }
  }
}

/** Printed once per process, so that a report says what was tested against. */
let printedVersion: string | undefined;

async function checkedVersion(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ['--version']);
  const version = /etcd Version: (\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? 'unknown';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (!(major > 3 || (major === 3 && minor >= 4))) {
    throw new Error(`the tests need etcd 3.4 or newer, and ${program} is ${version}`);
  }
  if (printedVersion === undefined) console.log(`    etcd ${version} (${program})`);
  printedVersion = version;
  return version;
}

/** One etcd process: where it keeps its data, what it is started with, and whether it runs. */
class Member {
  private child: ChildProcess | undefined;

  constructor(
    readonly clientPort: number,
    readonly logFile: string,
    readonly dataDir: string,
    private readonly flags: readonly string[],
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.clientPort}`;
  }

  get pid(): number | undefined {
    return this.isRunning ? this.child?.pid : undefined;
  }

  get isRunning(): boolean {
    return (
      this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
    );
  }

  start(program: string): void {
    const log = openSync(this.logFile, 'a');
    const child = spawn(program, this.flags, { stdio: ['ignore', log, log] });
    closeSync(log);
    killAtExit(child);
    this.child = child;
  }

  /** A signal takes effect a moment after it was sent, so this waits until the kernel says "stopped". */
  async freeze(): Promise<void> {
    this.child?.kill('SIGSTOP');
    const stat = `/proc/${this.child?.pid ?? 0}/stat`;
    await eventually(async () => / T /.test(await readFile(stat, 'utf8')), {
      what: 'a frozen etcd',
    });
  }

  thaw(): void {
    this.child?.kill('SIGCONT');
  }

  /** Resolves when the process is gone. */
  async kill9(): Promise<void> {
    const { child } = this;
    if (child === undefined || !this.isRunning) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  }

  async untilHealthy(): Promise<void> {
    await eventually(() => this.isHealthy(), {
      withinMs: START_TIMEOUT_MS,
      what: `etcd on ${this.url}`,
    });
  }

  private async isHealthy(): Promise<boolean> {
    const response = await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(1_000) });
    const { health } = (await response.json()) as { health?: string };
    return health === 'true';
  }
}

async function planMembers(
  { members: count = 1, flags = [] }: EtcdOptions,
  directory: string,
  logs: string,
): Promise<Member[]> {
  const names = Array.from({ length: count }, (_, i) => `m${i}`);
  const ports = await Promise.all(
    names.map(async () => ({ client: await freePort(), peer: await freePort() })),
  );
  const cluster = names.map((name, i) => `${name}=${urlOf(ports[i]?.peer)}`).join(',');
  return names.map((name, i) => {
    const client = urlOf(ports[i]?.client);
    const peer = urlOf(ports[i]?.peer);
    const dataDir = join(directory, name);
    return new Member(ports[i]?.client ?? 0, join(logs, `${name}.log`), dataDir, [
      ...['--name', name, '--data-dir', dataDir, ...flags],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', cluster, '--initial-cluster-token', names.join('-')],
    ]);
  });
}

function urlOf(port: number | undefined): string {
  return `http://127.0.0.1:${port ?? 0}`;
}

async function startAll(program: string, members: readonly Member[]): Promise<void> {
  for (const member of members) {
    if (!member.isRunning) member.start(program);
  }
  try {
    await Promise.all(members.map((member) => member.untilHealthy()));
  } catch (error) {
    const logs = await Promise.all(members.map((member) => readFile(member.logFile, 'utf8')));
    const tails = logs.map((log) => log.slice(-2_000)).join('\n');
    throw new Error(`etcd did not start; the end of its log:\n${tails}`, { cause: error });
  }
}

function handleOf(
  program: string,
  members: readonly Member[],
  version: string,
  removeData: () => Promise<void>,
): Etcd {
  const chosen = (index?: number): readonly Member[] =>
    index === undefined ? members : members.slice(index, index + 1);
  const kill9 = async (index?: number): Promise<void> => {
    await Promise.all(chosen(index).map((member) => member.kill9()));
  };
  return {
    endpoints: members.map((member) => member.url),
    ports: members.map((member) => member.clientPort),
    get pids() {
      return members.map((member) => member.pid);
    },
    version,
    dataDirs: members.map((member) => member.dataDir),
    kill9,
    stop: async () => {
      // etcd survives a kill, and a member that ends politely first waits for others.
      await kill9();
      await removeData();
    },
    restart: async (index) => {
      await kill9(index);
      await startAll(program, chosen(index));
    },
    pause: async (index) => {
      await Promise.all(chosen(index).map((member) => member.freeze()));
    },
    resume: (index) => {
      for (const member of chosen(index)) member.thaw();
    },
  };
}
