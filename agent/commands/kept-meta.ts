// Which meta.db a restore takes: one of those that the agent kept, or a file that a person names.
import { readFile } from 'node:fs/promises';
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import type { Data } from '../../shared/meta/gen/meta_pb.js';
import type { MetaBackup, MetaBackups } from '../influxd/meta-backups.js';

export interface KeptMeta {
  /** The name of a kept one, or a path. */
  readonly name: string;
  readonly data: Data;
  /** All that are kept, newest first. */
  readonly kept: readonly MetaBackup[];
}

/** `file`: name or path; undefined: the newest kept one. Throws AppError `meta-unreadable`. */
export async function chooseKept(
  backups: MetaBackups,
  directory: string,
  file: string | undefined,
): Promise<KeptMeta> {
  const kept = await backups.list();
  const name = file ?? kept[0]?.name;
  if (name === undefined) {
    throw new AppError(
      'meta-unreadable',
      `there is no kept meta.db in ${directory}; name the file that is to be put back`,
    );
  }
  const isKept = kept.some((each) => each.name === name);
  return { name, kept, data: isKept ? await backups.load(name) : await readNamed(name) };
}

async function readNamed(path: string): Promise<Data> {
  try {
    return decodeSnapshot(await readFile(path));
  } catch (error) {
    throw new AppError(
      'meta-unreadable',
      `reading ${path} as a meta.db: ${messageOf(error)}; name a kept one or a whole meta.db`,
      { cause: error },
    );
  }
}
