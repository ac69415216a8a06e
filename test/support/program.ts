// One process of ours (a manager, an agent) as tests start, stop, kill and restart it: its output goes into a file, and it
// is known to be ready by its ready file.
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { killAtExit } from './at-exit.js';
import { eventually } from './eventually.js';

export interface ProgramOptions {
  /** For messages: `agent-2`. */
  readonly name: string;
  /** The launcher, run by this Node. */
  readonly launcher: string;
  /** Asked for at each start, because ports and endpoints may be known only later. */
  readonly args: () => readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly readyFile: string;
  readonly logFile: string;
  /** In a process group of its own: Ctrl-C in the terminal reaches only the one who started it. */
  readonly detached?: boolean;
}

/** Further variables of one start: failpoints, for one. */
export type Environment = Readonly<Record<string, string>>;

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** From the signal until the process was gone. */
  readonly tookMs: number;
}

const READY_WITHIN_MS = 20_000;

/** A process that ignores SIGTERM for so long is killed, and the caller sees it by `tookMs`. */
const STOP_WITHIN_MS = 10_000;

/** Of a log that is shown because something failed. */
const TAIL_BYTES = 3_000;

export class Program {
  private child: ChildProcess | undefined;

  constructor(private readonly options: ProgramOptions) {}

  get name(): string {
    return this.options.name;
  }

  /** Of the running process; undefined while none runs. */
  get pid(): number | undefined {
    return this.isRunning ? this.child?.pid : undefined;
  }

  get isRunning(): boolean {
    return this.child?.exitCode === null && this.child.signalCode === null;
  }

  /** Starts it and resolves to what its ready file says. Rejects with the end of its log where it exits instead. */
  async start(env: Environment = {}): Promise<Record<string, unknown>> {
    await this.launch(env);
    const { readyFile, name } = this.options;
    const ready = await eventually(
      async () => {
        if (!this.isRunning) return undefined;
        return JSON.parse(await readFile(readyFile, 'utf8')) as Record<string, unknown>;
      },
      { withinMs: READY_WITHIN_MS, what: `${name} to be ready` },
    ).catch(async (error: unknown) => {
      throw new Error(`${name} does not get ready:\n${await this.logTail()}`, { cause: error });
    });
    if (ready === undefined)
      throw new Error(`${name} ended at its start:\n${await this.logTail()}`);
    return ready;
  }

  /** Starts it and waits for nothing. */
  async launch(more: Environment = {}): Promise<void> {
    const { launcher, args, cwd, readyFile, logFile, detached = false } = this.options;
    if (this.isRunning) throw new Error(`${this.name} runs already`);
    // One that a kill left would pass for the new process's.
    await rm(readyFile, { force: true });
    const log = openSync(logFile, 'a');
    const env = { ...this.options.env, ...more };
    const stdio: ('ignore' | number)[] = ['ignore', log, log];
    this.child = spawn(process.execPath, [launcher, ...args()], { stdio, env, cwd, detached });
    closeSync(log);
    killAtExit(this.child);
  }

  /** SIGTERM, and waits until it is gone. Undefined where it did not run. */
  stop(): Promise<Ended | undefined> {
    return this.end('SIGTERM');
  }

  async kill9(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** SIGSTOP and SIGCONT: connections stay open, and nothing is answered. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  /** Resolves when it has ended by itself. */
  async untilEnded(withinMs = READY_WITHIN_MS): Promise<Ended> {
    const { child } = this;
    await eventually(() => !this.isRunning, { withinMs, what: `${this.name} to end` });
    return { code: child?.exitCode ?? null, signal: child?.signalCode ?? null, tookMs: 0 };
  }

  /** All that it has written to stdout and stderr, over all its starts. */
  log(): Promise<string> {
    // There is no log before the first start.
    return readFile(this.options.logFile, 'utf8').catch(() => '');
  }

  async logTail(bytes = TAIL_BYTES): Promise<string> {
    return (await this.log()).slice(-bytes);
  }

  private async end(signal: NodeJS.Signals): Promise<Ended | undefined> {
    const { child } = this;
    if (child === undefined || !this.isRunning) return undefined;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    const began = performance.now();
    child.kill(signal);
    // A paused process takes other signals only when it goes on.
    child.kill('SIGCONT');
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
    await exited;
    clearTimeout(force);
    const tookMs = performance.now() - began;
    return { code: child.exitCode, signal: child.signalCode, tookMs };
  }
}
