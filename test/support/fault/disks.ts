// Directories on disks that run full or turn read-only: a small file system of its own is mounted over them, which needs root
// and Linux. Where that is not possible the caller is told why, and skips in words.
import { execFile } from 'node:child_process';
import { chmod, cp, lstat, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unmountAtExit } from '../at-exit.js';
import { temporaryDirectory } from '../temp-dir.js';

export interface SmallDisk {
  /** Until no byte is left. Everything on it stays as it is. */
  fill(): Promise<void>;
  /** As it was before `fill`. */
  free(): Promise<void>;
  /** Its files go back to where they were. Nobody may have them open any more. */
  remove(): Promise<void>;
}

const MOUNT_WITHIN_MS = 5_000;

const BALLAST = 'ballast.';

/** Undefined where file systems can be mounted here; else why not, for a test that is skipped. */
export async function whyNoMounts(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'mounts are done as on Linux';
  if (process.getuid?.() !== 0) return 'only root may mount';
  const probe = await temporaryDirectory('mount');
  try {
    await mount(probe.path, '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs');
    await unmount(probe.path);
    return undefined;
  } catch (error) {
    return `mounting fails here: ${String(error)}`;
  } finally {
    await probe.remove();
  }
}

/** Puts a directory, with what is in it, on a disk of that size. Nobody may have its files open. */
export async function onSmallDisk(directory: string, mebibytes: number): Promise<SmallDisk> {
  await moved(directory, () =>
    mount(directory, '-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0700`, 'tmpfs'),
  );
  return {
    fill: async () => {
      // The last page counts, and others write meanwhile: so until nothing at all is free.
      for (let file = 0; (await freeBytes(directory)) > 0; file += 1) {
        await writeFile(
          join(directory, `${BALLAST}${file}`),
          Buffer.alloc(await freeBytes(directory)),
        ).catch((error: unknown) => {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        });
      }
    },
    free: () => removeBallast(directory),
    remove: async () => {
      await removeBallast(directory);
      await moved(directory, () => unmount(directory));
    },
  };
}

/**
 * Makes a directory read-only for whoever opens something in it from now on; for root by a mount, because permissions do not
 * keep it out. The function that comes back ends that.
 */
export async function readOnly(directory: string): Promise<() => Promise<void>> {
  if (process.getuid?.() !== 0) {
    await chmod(directory, 0o500);
    return () => chmod(directory, 0o700);
  }
  await mount(directory, '--bind', directory);
  await mount(directory, '-o', 'remount,ro,bind');
  return () => unmount(directory);
}

/** Takes everything out of a directory, calls `change`, and puts it in again: into what the directory is then. */
async function moved(directory: string, change: () => Promise<void>): Promise<void> {
  const aside = await temporaryDirectory('aside');
  await copy(directory, aside.path);
  for (const name of await readdir(directory)) {
    await rm(join(directory, name), { recursive: true, force: true });
  }
  await change();
  await copy(aside.path, directory);
  await aside.remove();
}

async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

async function removeBallast(directory: string): Promise<void> {
  const files = (await readdir(directory)).filter((name) => name.startsWith(BALLAST));
  for (const file of files) await rm(join(directory, file));
}

async function copy(from: string, to: string): Promise<void> {
  await cp(from, to, {
    recursive: true,
    preserveTimestamps: true,
    force: true,
    filter: isNoSocket,
  });
}

/** A socket is made anew by who listens on it, and can't be copied. */
async function isNoSocket(path: string): Promise<boolean> {
  return !(await lstat(path)).isSocket();
}

const mounted = new Map<string, () => void>();

async function mount(directory: string, ...args: string[]): Promise<void> {
  await promisify(execFile)('mount', [...args, directory], { timeout: MOUNT_WITHIN_MS });
  mounted.set(directory, unmountAtExit(directory));
}

/** Lazily: a process that was not ended in time keeps nothing mounted in anybody's way. */
async function unmount(directory: string): Promise<void> {
  await promisify(execFile)('umount', ['-l', directory], { timeout: MOUNT_WITHIN_MS });
  mounted.get(directory)?.();
}
