// Reads influxd's meta.db. What is wrong with the file is a value, never an exception and never an empty schema: only a meta
// directory that is not there is an error, because then the configuration is wrong or influxd is not installed.
import { stat, readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import type { MetaFile } from './port.js';

/** The file's name in the meta directory. influxd writes it by renaming `meta.dbtmp`. */
export const META_FILE = 'meta.db';

/** Throws AppError `meta-unreadable` where the directory is not there, and `aborted`. */
export async function readMetaFile(metaDir: string, signal?: AbortSignal): Promise<MetaFile> {
  const path = join(metaDir, META_FILE);
  let bytes: Buffer;
  try {
    bytes = await readFile(path, { signal });
  } catch (error) {
    if (signal?.aborted)
      throw new AppError('aborted', `reading ${path}: stopped`, { cause: error });
    const code = errorCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR')
      return { kind: 'invalid', reason: whyUnreadable(path, error) };
    await checkDirectory(metaDir);
    return { kind: 'missing' };
  }
  return decodeMetaFile(path, bytes);
}

function decodeMetaFile(path: string, bytes: Buffer): MetaFile {
  if (bytes.length === 0) {
    return {
      kind: 'invalid',
      reason: `${path} is empty; influxd would not start with it, put a backup back`,
    };
  }
  try {
    return { kind: 'found', data: decodeSnapshot(bytes), bytes };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { kind: 'invalid', reason: `${path}: ${error.message}` };
  }
}

/** The directory is looked at only once the file was not found: the usual read is one call. */
async function checkDirectory(metaDir: string): Promise<void> {
  const why = await stat(metaDir).then(
    (found) => (found.isDirectory() ? undefined : 'it is no directory'),
    (error: unknown) => (errorCode(error) === 'ENOENT' ? 'it is not there' : messageOf(error)),
  );
  if (why === undefined) return;
  throw new AppError(
    'meta-unreadable',
    `reading the meta directory ${metaDir}: ${why}; set influxdb.meta-dir to [meta] dir of influxdb.conf, or start influxd once`,
  );
}

function whyUnreadable(path: string, error: unknown): string {
  const code = errorCode(error);
  if (code === 'EACCES' || code === 'EPERM') {
    return `${path} can't be read by the user ${currentUser()}; run the agent as influxd's user, or give it read permission`;
  }
  return `${path} can't be read: ${messageOf(error)}`;
}

/** Containers run with ids that have no name. */
export function currentUser(): string {
  try {
    return userInfo().username;
  } catch {
    // No entry in the user database: the number says as much.
    return String(process.getuid?.() ?? 'unknown');
  }
}

/** The system's code of a failed call, e.g. `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
