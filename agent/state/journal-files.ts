// What a journal asks of the file system, one durable step each, so that tests can stop the world between any two.
import { open, readFile, rename } from 'node:fs/promises';
import {
  absentAsUndefined,
  syncDirectory,
  writeDurably,
} from '../../shared/lifecycle/atomic-file.js';

/** Errors are the file system's own; the journal wraps them. */
export interface JournalFiles {
  /** The whole content, or undefined where there is no such file. */
  read(path: string): Promise<Buffer | undefined>;
  /** Creates or overwrites the file; resolves when its content is durable (its name need not be). */
  writeDurably(path: string, bytes: Uint8Array): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Makes renames in the directory durable. */
  syncDirectory(directory: string): Promise<void>;
  /** Opens an existing file for writing. */
  open(path: string): Promise<JournalFile>;
}

export interface JournalFile {
  /** Writes all of `bytes` at this offset; not durable before `sync`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  truncate(length: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** State is nobody else's business: it names users and holds password hashes. */
const FILE_MODE = 0o600;

export function nodeJournalFiles(): JournalFiles {
  return {
    read: (path) => absentAsUndefined(() => readFile(path)),
    writeDurably: (path, bytes) => writeDurably(path, bytes, FILE_MODE),
    rename,
    syncDirectory,
    open: openForWriting,
  };
}

async function openForWriting(path: string): Promise<JournalFile> {
  const handle = await open(path, 'r+');
  return {
    async write(bytes, position) {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await handle.write(bytes, done, undefined, position + done);
        done += bytesWritten;
      }
    },
    truncate: (length) => handle.truncate(length),
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}
