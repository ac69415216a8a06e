// Runs a command line of the configuration by `sh -c`, in a process group of its own and with a deadline. It waits for the
// command alone: what that leaves running (a daemon, an influxd) lives on, also when the agent ends.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { sleep } from '../../shared/lifecycle/backoff.js';
import { errorCode } from '../influxd/meta-file.js';

export interface CommandRun {
  readonly command: string;
  /** Where its output goes. A pipe would break with this process, and influxd would die of it. */
  readonly outputFile: string;
  readonly deadlineMs: number;
  /** True as soon as its purpose is reached, so that a command that stays in the foreground is waited for no longer. */
  readonly isDone?: () => Promise<boolean>;
  readonly signal: AbortSignal;
}

export type CommandEnd =
  | { readonly kind: 'done' }
  /** `why`: its exit code, the signal or the deadline, and the last lines of its output. */
  | { readonly kind: 'failed'; readonly why: string };

/** How often `isDone` is asked. */
const LOOK_MS = 100;

/** The output is nobody else's business. */
const OUTPUT_MODE = 0o600;

/** What a person needs of an error. */
const TAIL_LINES = 5;
const TAIL_CHARACTERS = 500;

/**
 * Throws AppError `aborted` at once when the signal is aborted; the command then goes on by itself, because half a stop or
 * start would be worse. At the deadline its process group is killed.
 */
export async function runCommand(run: CommandRun): Promise<CommandEnd> {
  const { command, outputFile, signal } = run;
  const output = openSync(outputFile, 'w', OUTPUT_MODE);
  const over = new AbortController();
  try {
    const child = spawn('sh', ['-c', command], {
      detached: true,
      stdio: ['ignore', output, output],
    });
    child.unref();
    const waits = AbortSignal.any([signal, over.signal]);
    const why = await Promise.race([endOf(child), whenDone(run, waits), whenLate(run, waits)]);
    if (why === undefined) return { kind: 'done' };
    // The group of a command that has exited may be the daemon that it left.
    if (isRunning(child)) killGroup(child);
    return { kind: 'failed', why: `${why}${await tailOf(outputFile)}` };
  } finally {
    // Ends the waits that lost the race.
    over.abort();
    closeSync(output);
  }
}

/** Why it failed, undefined where it did not. Not by `close`: what runs on in the background may keep the output open. */
function endOf(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      resolve(error.message);
    });
    child.once('exit', (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(code === null ? `it was ended by ${signal ?? 'a signal'}` : `exit code ${code}`);
    });
  });
}

async function whenDone({ isDone }: CommandRun, signal: AbortSignal): Promise<undefined> {
  do await sleep(LOOK_MS, signal);
  while (isDone === undefined || !(await isDone()));
}

async function whenLate({ deadlineMs }: CommandRun, signal: AbortSignal): Promise<string> {
  await sleep(deadlineMs, signal);
  return `it did not end within ${deadlineMs / 1000} s and was killed`;
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // It ended by itself in the same moment.
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

async function tailOf(file: string): Promise<string> {
  const text = (await readFile(file, 'utf8')).trim();
  const lines = text.split('\n').slice(-TAIL_LINES).join(' | ').slice(-TAIL_CHARACTERS);
  return lines === '' ? '' : `, output: ${lines}`;
}
