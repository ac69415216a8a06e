// Makes sure that one process at a time uses a directory: flock(2) on a file in it, gone with the process however it dies.
// Node has no flock, so util-linux's program takes it on a descriptor of ours. No pid file decides: those lie across containers.
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError, messageOf } from '../errors/app-error.js';

export interface DirectoryLock {
  /** Lets others in. Calling it twice is fine; the end of the process does the same. */
  release(): Promise<void>;
}

export interface DirectoryLockOptions {
  /** What the directory is, for messages: "the manager's data directory". */
  readonly what: string;
  /** Where `flock` is looked for instead of in PATH. */
  readonly command?: string;
}

const LOCK_FILE = 'lock';

/** flock -n answers in milliseconds; a file system on which it does not is not one to keep state on. */
const LOCK_TIMEOUT_MS = 5_000;

/** The status with which `flock -n` says that somebody else holds the lock. */
const HELD_BY_ANOTHER = 1;

/** The descriptor under which the child finds our open file (the first after stdin, stdout and stderr). */
const CHILD_DESCRIPTOR = 3;

/** Who holds a lock, as written into its file; only for messages. */
interface Holder {
  readonly pid: number;
  readonly started: string;
}

/**
 * Locks a directory (made where it is missing) for this process. Throws AppError `already-running` that names the holder
 * where another process (or another caller in this one) has it, and `state-unwritable` where it can't be locked at all.
 */
export async function lockDirectory(
  path: string,
  options: DirectoryLockOptions,
): Promise<DirectoryLock> {
  const descriptor = openLockFile(path, options.what);
  try {
    const status = await flock(descriptor, path, options);
    if (status === HELD_BY_ANOTHER)
      throw alreadyRunning(path, options.what, readHolder(descriptor));
    if (status !== 0) throw cannotLock(path, options.what, `flock ended with status ${status}`);
    writeHolder(descriptor, path, options.what);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  let isHeld = true;
  return {
    release: async () => {
      if (isHeld) closeSync(descriptor);
      isHeld = false;
    },
  };
}

/** A plain descriptor and not a FileHandle: that one is closed, and the lock lost, when it is garbage-collected. */
function openLockFile(path: string, what: string): number {
  try {
    makeDirectory(path);
    // Opened for appending and reading: it is made where it is missing, and a holder's line in it is left alone.
    return openSync(join(path, LOCK_FILE), 'a+', 0o600);
  } catch (error) {
    throw new AppError(
      'state-unwritable',
      `opening ${what} ${path} failed: ${messageOf(error)}; make it a directory that this user can write to, or name another`,
      { cause: error, details: { path } },
    );
  }
}

/**
 * With the parents that are missing, one by one: where a system lets nobody make a directory below one that exists (/proc),
 * Node 20's own `recursive` tries again for ever.
 */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // If it is no directory, opening the lock in it says so.
    if (code === 'EEXIST') return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || existsSync(parent)) throw error;
    makeDirectory(parent);
    makeDirectory(path);
  }
}

/** Runs `flock -n` on our descriptor: the lock belongs to the open file, so it stays ours when the child has ended. */
function flock(descriptor: number, path: string, options: DirectoryLockOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(options.command ?? 'flock', ['-n', String(CHILD_DESCRIPTOR)], {
      stdio: ['ignore', 'ignore', 'ignore', descriptor],
      timeout: LOCK_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'ENOENT'
          ? 'the program flock is not there; install the package util-linux'
          : messageOf(error);
      reject(cannotLock(path, options.what, reason, error));
    });
    child.once('exit', (status) => {
      if (status !== null) resolve(status);
      else reject(cannotLock(path, options.what, `flock gave no answer in ${LOCK_TIMEOUT_MS} ms`));
    });
  });
}

function writeHolder(descriptor: number, path: string, what: string): void {
  const startedMs = Date.now() - process.uptime() * 1000;
  const holder: Holder = { pid: process.pid, started: new Date(startedMs).toISOString() };
  try {
    ftruncateSync(descriptor, 0);
    writeSync(descriptor, `${JSON.stringify(holder)}\n`);
  } catch (error) {
    throw cannotLock(path, what, messageOf(error), error);
  }
}

/** The holder's line; undefined where it is not (yet) there, since the lock is taken a moment before it is written. */
function readHolder(descriptor: number): Holder | undefined {
  try {
    const line = Buffer.alloc(256);
    const length = readSync(descriptor, line, 0, line.length, 0);
    const holder = JSON.parse(line.toString('utf8', 0, length)) as Partial<Holder>;
    return typeof holder.pid === 'number' && typeof holder.started === 'string'
      ? { pid: holder.pid, started: holder.started }
      : undefined;
  } catch {
    // Only a message would have used it: that the directory is held is certain without it.
    return undefined;
  }
}

function alreadyRunning(path: string, what: string, holder: Holder | undefined): AppError {
  const who =
    holder === undefined ? 'another process' : `process ${holder.pid}, started ${holder.started},`;
  return new AppError(
    'already-running',
    `using ${what} ${path} failed because ${who} holds it; stop that one or name another directory`,
    { details: { path, ...holder } },
  );
}

function cannotLock(path: string, what: string, reason: string, cause?: unknown): AppError {
  return new AppError('state-unwritable', `locking ${what} ${path} failed: ${reason}`, {
    cause,
    details: { path },
  });
}
