// Writes a file so that a reader, or a crash at any moment, finds the old content or the new one, never a part of it.
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AppError, messageOf } from '../errors/app-error.js';

export interface AtomicWriteOptions {
  /** Permissions of the new file; 0o600 by default, because most of what is written so is nobody else's business. */
  readonly mode?: number;
  /** False where the content may be lost with the machine (a ready file); true by default. */
  readonly fsync?: boolean;
}

/**
 * Temporary file in the same directory, fsync, rename, fsync of the directory. Resolves when the content is durable.
 * @throws AppError `state-unwritable`; nothing is left behind.
 */
export async function writeFileAtomically(
  path: string,
  bytes: Uint8Array | string,
  options: AtomicWriteOptions = {},
): Promise<void> {
  const { mode = 0o600, fsync = true } = options;
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await writeWhole(temporary, bytes, { mode, fsync });
    await rename(temporary, path);
    if (fsync) await syncDirectory(directory);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined); // the write's own error says more than this one
    throw new AppError(
      'state-unwritable',
      `writing ${path} failed: ${messageOf(error)}; check the directory's owner, permissions and free space`,
      { cause: error },
    );
  }
}

/** Makes renames, creations and removals in a directory durable. Errors are the file system's own. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeWhole(
  path: string,
  bytes: Uint8Array | string,
  options: Required<AtomicWriteOptions>,
): Promise<void> {
  const handle = await open(path, 'wx', options.mode);
  try {
    await handle.writeFile(bytes);
    // The process's umask may have taken bits away from what was asked for.
    await handle.chmod(options.mode);
    if (options.fsync) await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a whole file in place and syncs it; the directory is the caller's to sync. Errors are the file system's own. */
export async function writeDurably(path: string, bytes: Uint8Array, mode = 0o600): Promise<void> {
  const handle = await open(path, 'w', mode);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Absence is an answer here; every other failure is the caller's to report. */
export async function absentAsUndefined<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
