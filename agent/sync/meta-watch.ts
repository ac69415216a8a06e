// Wakes the loop when influxd has renamed a new meta.db into place. Only a hint: a lost event is made up for by the timer.
// The directory is watched, because the file's inode is gone after each change; chokidar's `raw` event, because its
// `change` drops the second of two changes within 50 ms.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { watch } from 'chokidar';
import { messageOf } from '../../shared/errors/app-error.js';
import { sleep } from '../../shared/lifecycle/backoff.js';
import type { Logger } from '../../shared/log/logger.js';

const META_FILE = 'meta.db';

/** Polling takes over where the kernel's watches are used up, or where it is asked for (network file systems). */
const POLL_MS = 500;

/** A directory that is not there yet (influxd was never started) is looked for so often. */
const RETRY_MS = 500;

/**
 * A directory that is removed and made anew at once leaves the watch on the one that is gone, and nobody is told: so often it is
 * looked whether it is still the same.
 */
const IDENTITY_CHECK_MS = 1000;

export interface MetaWatchOptions {
  readonly metaDir: string;
  readonly isPolling: boolean;
  readonly onChange: () => void;
  readonly logger: Logger;
}

/** Watches until the signal is aborted; resolves then. */
export async function watchMeta(options: MetaWatchOptions, signal: AbortSignal): Promise<void> {
  let isPolling = options.isPolling;
  while (!signal.aborted) {
    if (isPolling) return pollFile(options, signal);
    if (!(await exists(options.metaDir))) {
      await pause(RETRY_MS, signal);
      continue;
    }
    const error = await watchDirectory(options, signal);
    options.onChange();
    if (error === undefined) continue;
    isPolling = true;
    options.logger.warn('watching the meta directory is not possible; polling it instead', {
      path: options.metaDir,
      reason: messageOf(error),
    });
  }
}

/** Resolves with the error that ended the watch, or without one when the directory went away or the signal came. */
async function watchDirectory(options: MetaWatchOptions, signal: AbortSignal): Promise<unknown> {
  const { metaDir, onChange } = options;
  const identity = await directoryIdentity(metaDir);
  const watcher = watch(metaDir, { depth: 0, ignoreInitial: true, ignorePermissionErrors: true });
  const ended = new AbortController();
  try {
    return await new Promise<unknown>((resolve) => {
      watcher.on('raw', (_event: string, path: string) => {
        if (path === META_FILE || path.endsWith(`/${META_FILE}`)) onChange();
      });
      // Changes from before the watch stood.
      watcher.on('ready', onChange);
      watcher.on('unlinkDir', () => resolve(undefined));
      watcher.on('error', resolve);
      void untilAnother(metaDir, identity, AbortSignal.any([signal, ended.signal])).then(resolve);
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
      if (signal.aborted) resolve(undefined);
    });
  } finally {
    ended.abort();
    await watcher.close();
  }
}

/** Resolves when another directory stands at the path, or the signal comes. */
async function untilAnother(
  metaDir: string,
  identity: string,
  signal: AbortSignal,
): Promise<undefined> {
  while (!signal.aborted && (await directoryIdentity(metaDir)) === identity) {
    await pause(IDENTITY_CHECK_MS, signal);
  }
}

/** Inode numbers are used again at once, so the time of birth counts too. */
async function directoryIdentity(metaDir: string): Promise<string> {
  try {
    const { dev, ino, birthtimeMs } = await stat(metaDir);
    return `${dev} ${ino} ${birthtimeMs}`;
  } catch {
    return 'missing'; // the loop around it waits until it is there again
  }
}

async function pollFile(
  { metaDir, onChange }: MetaWatchOptions,
  signal: AbortSignal,
): Promise<void> {
  let last = '';
  while (!signal.aborted) {
    const now = await fingerprint(join(metaDir, META_FILE));
    if (now !== last) onChange();
    last = now;
    await pause(POLL_MS, signal);
  }
}

/** Inode numbers are used again soon, so the times count too. */
async function fingerprint(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(path);
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch {
    return 'missing'; // why it can't be read is told by the tick that it wakes
  }
}

async function exists(path: string): Promise<boolean> {
  return (await fingerprint(path)) !== 'missing';
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // An aborted pause is the end of the loop around it, which looks at the signal.
  await sleep(ms, signal).catch(() => undefined);
}
