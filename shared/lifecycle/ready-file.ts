// The file of --ready-file: it is there exactly while the program is ready, and says where to reach it.
import { rm } from 'node:fs/promises';
import { writeFileAtomically } from './atomic-file.js';

/** What a manager writes: `{"manager": url, "pid": n}`. */
export interface ManagerReady {
  readonly manager: string;
  readonly pid: number;
}

/** What an agent writes: `{"status": url, "gateway": url or null, "pid": n}`. */
export interface AgentReady {
  readonly status: string;
  readonly gateway: string | null;
  readonly pid: number;
}

export interface ReadyFile {
  /** Writes it (by rename); nothing where no path was asked for. Throws AppError `state-unwritable`. */
  write(content: ManagerReady | AgentReady): Promise<void>;
  /** Removes it; fine where it is not there. Called first when stopping, and at start for one that a crash left. */
  remove(): Promise<void>;
}

/** @param path undefined where --ready-file was not given. */
export function createReadyFile(path: string | undefined): ReadyFile {
  return {
    async write(content) {
      if (path === undefined) return;
      // Readable by all, as the one who waits for it is often another user; it holds nothing secret.
      await writeFileAtomically(path, `${JSON.stringify(content)}\n`, {
        mode: 0o644,
        fsync: false,
      });
    },
    async remove() {
      if (path !== undefined) await rm(path, { force: true });
    },
  };
}
