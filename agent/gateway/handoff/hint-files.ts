// What the hint log asks of the file system, one durable step each, so that tests can stop the world between any two.
// It knows paths and bytes, not what they mean. Errors are the file system's own.
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import {
  absentAsUndefined,
  syncDirectory,
  writeDurably,
} from '../../../shared/lifecycle/atomic-file.js';

export interface HintFiles {
  /** Makes a directory (its parent exists) and its name durable; one that is there is fine. */
  makeDirectory(path: string, parent: string): Promise<void>;
  /** Names in a directory, sorted; undefined where there is none. */
  list(path: string): Promise<readonly string[] | undefined>;
  /** Length in bytes; undefined where there is no such file. */
  size(path: string): Promise<number | undefined>;
  /** The whole content; undefined where there is no such file. */
  read(path: string): Promise<Buffer | undefined>;
  /** Creates or empties the file, writes and fsyncs it; its name is not durable before `syncDirectory`. */
  writeDurably(path: string, bytes: Uint8Array): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A file that is not there is fine. */
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** Opens a file for reading and writing; with `create`, makes it where it is missing. */
  open(path: string, create: boolean): Promise<HintFile>;
  /** Bytes that an ordinary user may still write there. */
  freeBytes(path: string): Promise<number>;
}

export interface HintFile {
  /** Fills `into` from this offset on, and says how many bytes there were. */
  read(into: Buffer, position: number): Promise<number>;
  /** Writes all of the parts one behind the other; not durable before `sync`. */
  write(parts: readonly Uint8Array[], position: number): Promise<void>;
  truncate(length: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Hints are other people's data: nobody but the agent's user reads them. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** writev(2) takes at most 1,024 parts. */
const MOST_PARTS = 512;

export function nodeHintFiles(): HintFiles {
  return {
    makeDirectory,
    list: (path) => absentAsUndefined(async () => (await readdir(path)).sort()),
    size: (path) => absentAsUndefined(async () => (await stat(path)).size),
    read: (path) => absentAsUndefined(() => readFile(path)),
    writeDurably: (path, bytes) => writeDurably(path, bytes, FILE_MODE),
    rename,
    remove: (path) => rm(path, { force: true, recursive: true }),
    syncDirectory,
    open: openFile,
    freeBytes: async (path) => {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    },
  };
}

async function makeDirectory(path: string, parent: string): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
  if (made !== undefined) await syncDirectory(parent);
}

async function openFile(path: string, create: boolean): Promise<HintFile> {
  const handle = await open(path, 'r+', FILE_MODE).catch((error: unknown) => {
    if (create && (error as NodeJS.ErrnoException).code === 'ENOENT') {
      return open(path, 'w+', FILE_MODE);
    }
    throw error;
  });
  return {
    read: (into, position) => readFully(handle, into, position),
    write: (parts, position) => writeFully(handle, parts, position),
    truncate: (length) => handle.truncate(length),
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}

async function readFully(handle: FileHandle, into: Buffer, position: number): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

async function writeFully(
  handle: FileHandle,
  parts: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let offset = position;
  for (let first = 0; first < parts.length; first += MOST_PARTS) {
    const some = parts.slice(first, first + MOST_PARTS);
    const length = some.reduce((sum, part) => sum + part.length, 0);
    const { bytesWritten } = await handle.writev(some, offset);
    // A short write happens when the disk fills up: the rest says so, or succeeds.
    if (bytesWritten < length) {
      await writeRest(handle, Buffer.concat(some).subarray(bytesWritten), offset + bytesWritten);
    }
    offset += length;
  }
}

async function writeRest(handle: FileHandle, rest: Buffer, position: number): Promise<void> {
  for (let done = 0; done < rest.length;) {
    const { bytesWritten } = await handle.write(rest, done, undefined, position + done);
    done += bytesWritten;
  }
}
