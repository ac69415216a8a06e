// The last good meta.db files of this node, kept in the agent's state directory for `agent restore`. Only what decodes is kept;
// equal content is kept once.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import { writeFileAtomically } from '../../shared/lifecycle/atomic-file.js';
import { decodeSnapshot, encodeSnapshot } from '../../shared/meta/codec.js';
import type { Data } from '../../shared/meta/gen/meta_pb.js';
import { lineageOf } from '../../shared/meta/lineage.js';
import { errorCode } from './meta-file.js';

export interface MetaBackup {
  /** The file's name, which also names the backup for people. */
  readonly name: string;
  readonly at: Date;
}

export interface MetaBackups {
  /** Keeps it, and removes what is older than the last five. False where the newest has the same content. */
  save(data: Data, at: Date): Promise<boolean>;
  /** Newest first. */
  list(): Promise<MetaBackup[]>;
  /** Throws AppError `meta-unreadable` where it is not there or damaged. */
  load(name: string): Promise<Data>;
}

const KEEP = 5;
/** Time without separators that file systems mind, then the first digits of the content's digest. */
const NAME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{3})Z-([0-9a-f]{16})\.db$/;

/** `directory` is made at the first save. Methods throw AppError `state-unwritable` where it can't be written. */
export function openMetaBackups(directory: string): MetaBackups {
  return {
    save: (data, at) => save(directory, data, at),
    list: async () => (await namesIn(directory)).map((name) => ({ name, at: timeOf(name) })),
    load: (name) => load(directory, name),
  };
}

async function save(directory: string, data: Data, at: Date): Promise<boolean> {
  const digest = contentDigest(data);
  const kept = await namesIn(directory);
  if (kept[0] !== undefined && digestOf(kept[0]) === digest) return false;
  await makeDirectory(directory);
  const name = `${laterThan(kept[0], at).toISOString().replace(/[-:]/g, '')}-${digest}.db`;
  await writeFileAtomically(join(directory, name), encodeSnapshot(data));
  const others = kept.filter((each) => digestOf(each) !== digest && each !== name);
  const superfluous = [
    ...kept.filter((each) => digestOf(each) === digest && each !== name),
    ...others.slice(KEEP - 1),
  ];
  for (const each of superfluous) await rm(join(directory, each), { force: true });
  return true;
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new AppError(
      'state-unwritable',
      `making the directory ${directory} for copies of meta.db: ${messageOf(error)}; check the owner of agent.state-dir`,
      { cause: error },
    );
  }
}

/**
 * Over what a restore would bring back: schema, shard groups, ids and ClusterID. Not Index, which rises without a change, and
 * not the bytes, in which influxd writes privileges in random order.
 */
function contentDigest(data: Data): string {
  const { clusterId, maxShardGroupId, maxShardId, content } = lineageOf(data);
  const text = JSON.stringify([clusterId, maxShardGroupId, maxShardId, content]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

async function load(directory: string, name: string): Promise<Data> {
  try {
    if (!NAME.test(name)) throw new Error('this is no name of a backup');
    return decodeSnapshot(await readFile(join(directory, name)));
  } catch (error) {
    throw new AppError(
      'meta-unreadable',
      `reading the copy ${name} of meta.db in ${directory}: ${messageOf(error)}; choose another one`,
      { cause: error },
    );
  }
}

/** Newest first. */
async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory))
      .filter((name) => NAME.test(name))
      .sort()
      .reverse();
  } catch (error) {
    // No backup yet.
    if (errorCode(error) === 'ENOENT') return [];
    throw new AppError(
      'meta-unreadable',
      `listing the copies of meta.db in ${directory}: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** A clock that was set back must not make the newest look old. */
function laterThan(newest: string | undefined, at: Date): Date {
  if (newest === undefined || timeOf(newest) < at) return at;
  return new Date(timeOf(newest).getTime() + 1);
}

function digestOf(name: string): string {
  return NAME.exec(name)?.[8] ?? '';
}

function timeOf(name: string): Date {
  return new Date(name.replace(NAME, '$1-$2-$3T$4:$5:$6.$7Z'));
}
