// The files of an embedded store's directory: their names, and what of the file system the store uses.
// Generation N is `snapshot-N` (the state before `log-N` began; none for the first) and `log-N`, and logs that follow it.
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export type FileKind = 'log' | 'snapshot';

/** What the log does to its file; tests put a failing disk in its place. */
export interface AppendFile {
  /** Writes all of `bytes` at `position`. */
  write(bytes: Buffer, position: number): Promise<void>;
  /** Resolves when everything written is on the disk itself. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

export type OpenAppendFile = (path: string) => Promise<AppendFile>;

const NAME = /^(log|snapshot)-(\d{10})$/;

/** Unfinished snapshots end so; they are removed at the next start. */
export const TEMPORARY_SUFFIX = '.tmp';

export function filePath(directory: string, kind: FileKind, generation: number): string {
  return join(directory, `${kind}-${String(generation).padStart(10, '0')}`);
}

/** The generations of the logs and snapshots in a directory, ascending, and the names of unfinished files. */
export async function listFiles(
  directory: string,
): Promise<{ logs: number[]; snapshots: number[]; unfinished: string[] }> {
  const names = await readdir(directory);
  const generations = (kind: FileKind): number[] =>
    names
      .map((name) => NAME.exec(name))
      .filter((match) => match?.[1] === kind)
      .map((match) => Number(match?.[2]))
      .sort((a, b) => a - b);
  return {
    logs: generations('log'),
    snapshots: generations('snapshot'),
    unfinished: names.filter((name) => name.endsWith(TEMPORARY_SUFFIX)),
  };
}

export const openAppendFile: OpenAppendFile = async (path) => {
  const handle = await open(path, 'r+');
  return {
    write: async (bytes, position) => {
      let written = 0;
      while (written < bytes.length) {
        const left = bytes.length - written;
        written += (await handle.write(bytes, written, left, position + written)).bytesWritten;
      }
    },
    sync: () => handle.datasync(),
    truncate: (length) => handle.truncate(length),
    close: () => handle.close(),
  };
};
