// What must not outlive the test run, however it ends: processes first, then mounts and the directories that they write into.
// One listener for all, because Node warns of more than ten, and because the order matters.
import { spawnSync, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';

const children = new Set<ChildProcess>();
const directories = new Set<string>();
const mounts = new Set<string>();

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  for (const path of mounts) spawnSync('umount', ['-l', path]);
  for (const path of directories) removeNow(path);
});

/** Kills the process (-9) when this one exits, unless it has ended before. */
export function killAtExit(child: ChildProcess): void {
  children.add(child);
  child.once('exit', () => children.delete(child));
}

/** Removes the directory when this process exits. */
export function removeAtExit(path: string): void {
  directories.add(path);
}

/** Unmounts what is mounted there when this process exits. The function that comes back forgets that. */
export function unmountAtExit(path: string): () => void {
  mounts.add(path);
  return () => {
    mounts.delete(path);
  };
}

/** It was removed already, or shall stay. */
export function keepAtExit(path: string): void {
  directories.delete(path);
}

/** A process that was killed a moment ago may still be writing: then one more try is enough. */
function removeNow(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  } catch (error) {
    // Nothing may be thrown in an exit listener: the directories after this one would stay as well.
    process.stderr.write(`could not remove ${path}: ${String(error)}\n`);
  }
}
