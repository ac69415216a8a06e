// The shards that lie in influxd's data directory, whatever the metadata says: `<data>/<database>/<policy>/<id>`. influxd
// opens each of them at its start and finds them by their number alone, so no new one may bear a number that is there.
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import { currentUser, errorCode } from './meta-file.js';
import type { LoadedShard } from './port.js';

/** Where influxd keeps its data by default: beside the meta directory. */
export function defaultDataDir(metaDir: string): string {
  return join(dirname(metaDir), 'data');
}

/** Empty where the directory is not there (a new server). Throws AppError `meta-unreadable` where it can't be read. */
export async function listDiskShards(dataDir: string): Promise<LoadedShard[]> {
  const shards: LoadedShard[] = [];
  for (const database of await directoriesIn(dataDir)) {
    for (const policy of await directoriesIn(join(dataDir, database))) {
      // The series file lies beside the policies and has numbered directories too.
      if (policy === '_series') continue;
      for (const name of await directoriesIn(join(dataDir, database, policy))) {
        if (/^\d{1,20}$/.test(name)) shards.push({ id: BigInt(name), database, policy });
      }
    }
  }
  return shards;
}

async function directoriesIn(directory: string): Promise<string[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(directory, { withFileTypes: true });
  } catch (error) {
    // Not there, or dropped between two looks: nothing lies in it.
    if (errorCode(error) === 'ENOENT') return [];
    throw new AppError(
      'meta-unreadable',
      `listing influxd's shards in ${directory} as user ${currentUser()}: ${messageOf(error)}; run the agent as influxd's user`,
      { cause: error },
    );
  }
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
