// Makes temporary directories for tests, and removes what a failed test left behind when the process ends.
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TemporaryDirectory {
  readonly path: string;
  /** Removes it with everything in it; calling it twice is fine. */
  remove(): Promise<void>;
}

/** What still exists; the process's exit removes it. One listener for all, because Node warns of more than ten. */
const existing = new Set<string>();
process.on('exit', () => {
  for (const path of existing) rmSync(path, { recursive: true, force: true });
});

/** A new, empty directory below the system's temporary directory. It also goes away when the process exits. */
export async function temporaryDirectory(prefix: string): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), `clusterflux-${prefix}-`));
  existing.add(path);
  return {
    path,
    remove: async () => {
      existing.delete(path);
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
