// Writes meta.db under a stopped influxd: whole or not at all, owner and mode kept, and never over a file that is not the one
// that was read. It refuses while influxd runs, because influxd would overwrite the file from memory.
import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { readFileSync, renameSync } from 'node:fs';
import { mkdir, open, readdir, rm, stat, chown } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import { syncDirectory } from '../../shared/lifecycle/atomic-file.js';
import { encodeSnapshot } from '../../shared/meta/codec.js';
import type { Data } from '../../shared/meta/gen/meta_pb.js';
import { META_FILE, currentUser, errorCode } from './meta-file.js';
import type { RunState } from './stopped.js';

export interface OfflineWrite {
  readonly metaDir: string;
  /** The bytes that the new content was made from; undefined where there was no file. */
  readonly expected: Uint8Array | undefined;
  readonly data: Data;
  /** Asked right before the rename, once more. */
  readonly runState: () => Promise<RunState>;
  /** True where a person said that influxd is stopped (`--offline`): then `unknown` is enough. */
  readonly assumeStopped: boolean;
}

export type OfflineResult =
  | { readonly kind: 'written'; readonly bytes: Uint8Array }
  /** The file is not the one that was read: look again from the start. */
  | { readonly kind: 'changed' }
  | Exclude<RunState, { kind: 'stopped' }>;

/** Not `meta.dbtmp`, which is influxd's own. */
const TEMPORARY_PREFIX = '.clusterflux-';
/** As influxd makes them. */
const FILE_MODE = 0o644;
const DIRECTORY_MODE = 0o755;

/** Nothing is changed unless the result is `written`. Throws AppError `state-unwritable`. */
export async function writeOffline(write: OfflineWrite): Promise<OfflineResult> {
  const before = refusal(await write.runState(), write.assumeStopped);
  if (before !== undefined) return before;
  const prepared = await prepareOffline(write);
  try {
    const now = refusal(await write.runState(), write.assumeStopped);
    if (now !== undefined) return now;
    if (prepared.putInPlace() === 'changed') return { kind: 'changed' };
  } finally {
    await prepared.end();
  }
  return { kind: 'written', bytes: prepared.bytes };
}

/** New content that is on disk beside meta.db, and needs no more than a rename. */
export interface PreparedWrite {
  readonly bytes: Uint8Array;
  /**
   * The rename, unless the file is not the one that was read. In one go, without giving way to anything else in this process:
   * whoever starts influxd again may be quick. Throws AppError `state-unwritable`.
   */
  putInPlace(): 'written' | 'changed';
  /** Makes the rename durable, or removes what was prepared. To be called once, in any case. Throws `state-unwritable`. */
  end(): Promise<void>;
}

/** Writes the new content beside meta.db, which stays as it is. Throws AppError `state-unwritable`. */
export async function prepareOffline({
  metaDir,
  expected,
  data,
}: Pick<OfflineWrite, 'metaDir' | 'expected' | 'data'>): Promise<PreparedWrite> {
  const path = join(metaDir, META_FILE);
  const temporary = join(metaDir, `${TEMPORARY_PREFIX}${randomBytes(6).toString('hex')}`);
  const bytes = encodeSnapshot(data);
  try {
    await makeDirectory(metaDir);
    await removeLeftovers(metaDir);
    await writeTemporary(temporary, bytes, await ownershipOf(path, metaDir));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined); // the first error says more than this one
    throw unwritable(path, error);
  }
  return {
    bytes,
    putInPlace() {
      try {
        if (!isUnchanged(path, expected)) return 'changed';
        renameSync(temporary, path);
        return 'written';
      } catch (error) {
        throw unwritable(path, error);
      }
    },
    async end() {
      try {
        // After the rename there is nothing to remove.
        await rm(temporary, { force: true });
        await syncDirectory(metaDir);
      } catch (error) {
        throw unwritable(path, error);
      }
    },
  };
}

function refusal(
  state: RunState,
  assumeStopped: boolean,
): Exclude<RunState, { kind: 'stopped' }> | undefined {
  if (state.kind === 'stopped') return undefined;
  return state.kind === 'unknown' && assumeStopped ? undefined : state;
}

interface Ownership {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** Of the file that is replaced; for a new one, of its directory. */
async function ownershipOf(path: string, metaDir: string): Promise<Ownership> {
  const existing = await statOf(path);
  if (existing) return { uid: existing.uid, gid: existing.gid, mode: existing.mode & 0o7777 };
  const { uid, gid } = await stat(metaDir);
  return { uid, gid, mode: FILE_MODE };
}

async function statOf(path: string): Promise<Stats | undefined> {
  return stat(path).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
}

async function writeTemporary(path: string, bytes: Uint8Array, owner: Ownership): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    const made = await handle.stat();
    if (made.uid !== owner.uid || made.gid !== owner.gid) await handle.chown(owner.uid, owner.gid);
    // After chown, which clears some bits.
    await handle.chmod(owner.mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isUnchanged(path: string, expected: Uint8Array | undefined): boolean {
  let found: Buffer;
  try {
    found = readFileSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return expected === undefined;
    throw error;
  }
  return expected !== undefined && found.equals(expected);
}

/** A server before its first start has no meta directory yet; its owner is the one of the directory above. */
async function makeDirectory(metaDir: string): Promise<void> {
  if ((await statOf(metaDir)) !== undefined) return;
  const parent = dirname(metaDir);
  const { uid, gid } = await stat(parent);
  await mkdir(metaDir, { mode: DIRECTORY_MODE });
  const made = await stat(metaDir);
  if (made.uid !== uid || made.gid !== gid) await chown(metaDir, uid, gid);
  await syncDirectory(parent);
}

/** From a run that was killed between writing and renaming. */
async function removeLeftovers(metaDir: string): Promise<void> {
  for (const name of await readdir(metaDir)) {
    if (name.startsWith(TEMPORARY_PREFIX)) await rm(join(metaDir, name), { force: true });
  }
}

function unwritable(path: string, error: unknown): AppError {
  return new AppError(
    'state-unwritable',
    `writing ${path} as user ${currentUser()}: ${messageOf(error)}; run this as influxd's user or as root, and look at free space`,
    { cause: error },
  );
}
