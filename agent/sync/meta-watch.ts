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
  const watcher = watch(metaDir, { depth: 0, ignoreInitial: true, ignorePermissionErrors: true });
  try {
    return await new Promise<unknown>((resolve) => {
      watcher.on('raw', (_event: string, path: string) => {
        if (path === META_FILE || path.endsWith(`/${META_FILE}`)) onChange();
      });
      // Changes from before the watch stood.
      watcher.on('ready', onChange);
      watcher.on('unlinkDir', () => resolve(undefined));
      watcher.on('error', resolve);
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
      if (signal.aborted) resolve(undefined);
    });
  } finally {
    await watcher.close();
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
