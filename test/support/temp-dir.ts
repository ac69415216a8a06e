// Makes temporary directories for tests, and removes what a failed test left behind when the process ends.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepAtExit, removeAtExit } from './at-exit.js';

export interface TemporaryDirectory {
  readonly path: string;
  /** Removes it with everything in it; calling it twice is fine. */
  remove(): Promise<void>;
}

/** A new, empty directory below the system's temporary directory. It also goes away when the process exits. */
export async function temporaryDirectory(prefix: string): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), `clusterflux-${prefix}-`));
  removeAtExit(path);
  return {
    path,
    remove: async () => {
      keepAtExit(path);
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
