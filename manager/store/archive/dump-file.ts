// A dump as a file: written under a temporary name, fsynced and renamed, so that a dump that is there is whole; read line by
// line, so that its size does not matter.
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { AppError, messageOf } from '../../../shared/errors/app-error.js';
import { syncDirectory } from '../../../shared/lifecycle/atomic-file.js';
import type { ArchivedEntry } from './contents.js';
import { DumpReader, type DumpHeader } from './dump-format.js';

/** It holds password hashes and the key of the digests that stand for them. */
const MODE = 0o600;

/** Where lines go. */
export type WriteLine = (line: string) => Promise<void>;

/** Throws AppError `state-unwritable`, and what `write` throws; a dump that was there before stays then. */
export async function writeDumpFile(
  path: string,
  write: (line: WriteLine) => Promise<void>,
): Promise<void> {
  const suffix = randomBytes(6).toString('hex');
  const temporary = join(dirname(path), `.${basename(path)}.${suffix}.tmp`);
  try {
    const handle = await open(temporary, 'wx', MODE);
    try {
      await write(async (line) => {
        await handle.write(line);
      });
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined); // the write's own error says more than this one
    if (error instanceof AppError) throw error;
    throw new AppError(
      'state-unwritable',
      `writing the dump ${path} failed: ${messageOf(error)}; check the directory's owner, permissions and free space`,
      { cause: error },
    );
  }
}

/** A verified dump: its header and the number of its keys. */
export interface DumpSummary {
  readonly header: DumpHeader;
  readonly keys: readonly string[];
}

/** Reads it to its end. Throws AppError `dump-invalid`, `store-format-unknown`, `aborted`. */
export async function verifyDumpFile(path: string, signal: AbortSignal): Promise<DumpSummary> {
  const reader = new DumpReader(path);
  const keys: string[] = [];
  for await (const page of pagesOfDump(path, reader, signal)) {
    for (const { key } of page) keys.push(key);
  }
  return { header: reader.end(), keys };
}

/** Its entries again, verified again: the last page comes only where the whole file is as its trailer says. */
export async function* readDumpFile(
  path: string,
  signal: AbortSignal,
): AsyncGenerator<readonly ArchivedEntry[]> {
  const reader = new DumpReader(path);
  yield* pagesOfDump(path, reader, signal);
  reader.end();
}

async function* pagesOfDump(
  path: string,
  reader: DumpReader,
  signal: AbortSignal,
): AsyncGenerator<readonly ArchivedEntry[]> {
  const input = createReadStream(path, { signal });
  try {
    // Opened before lines are asked for: readline does not hand on an error of its input.
    await new Promise<void>((resolve, reject) => {
      input.once('open', () => {
        resolve();
      });
      input.once('error', reject);
    });
    let failure: Error | undefined;
    input.once('error', (error) => {
      failure = error;
    });
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      const entry = reader.take(line);
      if (entry !== undefined) yield [entry];
    }
    if (failure !== undefined) throw failure;
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (signal.aborted) {
      throw new AppError('aborted', `reading the dump ${path} was ended`, { cause: error });
    }
    throw new AppError('dump-invalid', `reading the dump ${path} failed: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    input.destroy();
  }
}
