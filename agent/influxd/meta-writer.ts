// The meta.db of a stopped influxd, read and written for the reconciler. It touches nothing while influxd runs, or may run
// without a person having said that it does not.
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import type { MetaWriter } from '../sync/apply-offline.js';
import { listDiskShards } from './disk-shards.js';
import { readMetaFile } from './meta-file.js';
import { offlineData } from './offline-data.js';
import { writeOffline } from './offline-writer.js';
import type { MetaFile } from './port.js';
import type { RunState } from './stopped.js';

export interface MetaWriterOptions {
  readonly metaDir: string;
  readonly dataDir: string;
  /** Whether influxd is stopped, looked at anew at each call. */
  readonly runState: () => Promise<RunState>;
  /** True where a person said that it is (`--offline`): then not being able to see it is enough. */
  readonly assumeStopped: boolean;
}

export function createMetaWriter(options: MetaWriterOptions): MetaWriter {
  const { metaDir, dataDir, runState, assumeStopped } = options;
  const shardsOnDisk = () => listDiskShards(dataDir);
  return {
    shardsOnDisk,
    async readFile(signal) {
      assertStopped(await runState(), options);
      return readFileOfStopped(metaDir, signal);
    },
    async compose(local, target) {
      const diskShardIds = (await shardsOnDisk()).map(({ id }) => id);
      const data = local.source === 'none' ? undefined : local.data;
      return offlineData(data, target, { diskShardIds, internal: local.internal });
    },
    async write(data, expected) {
      const result = await writeOffline({ metaDir, expected, data, runState, assumeStopped });
      if (result.kind === 'written') return;
      if (result.kind !== 'changed') throw notStopped(result, metaDir);
      throw new AppError(
        'version-conflict',
        `writing meta.db in ${metaDir}: somebody changed it meanwhile, so it was left alone; look again`,
        { status: 409, retryable: true },
      );
    },
  };
}

/** Throws AppError `influxd-running` where influxd is not stopped, or may not be and nobody said that it is. */
export function assertStopped(
  state: RunState,
  { metaDir, assumeStopped }: Pick<MetaWriterOptions, 'metaDir' | 'assumeStopped'>,
): void {
  if (state.kind === 'stopped' || (state.kind === 'unknown' && assumeStopped)) return;
  throw notStopped(state, metaDir);
}

function notStopped(state: Exclude<RunState, { kind: 'stopped' }>, metaDir: string): AppError {
  const what = `meta.db in ${metaDir} is written only while influxd is stopped`;
  return new AppError(
    'influxd-running',
    state.kind === 'running'
      ? `${what}, and it runs (${state.why}): stop influxd and try again`
      : `${what}, and that can't be seen here (${state.why}): make sure that it is, and say so with --offline`,
  );
}

/**
 * A server before its first start may have no meta directory yet: that is no file, as long as the directory above is there.
 * Throws AppError `meta-unreadable` where that is missing too: then influxdb.meta-dir is wrong.
 */
async function readFileOfStopped(metaDir: string, signal: AbortSignal): Promise<MetaFile> {
  try {
    return await readMetaFile(metaDir, signal);
  } catch (error) {
    if (!isAppError(error, 'meta-unreadable')) throw error;
    const isAbsent = !(await isThere(metaDir)) && (await isThere(dirname(metaDir)));
    if (isAbsent) return { kind: 'missing' };
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false, // whatever keeps it from being looked at is told by the read that failed before
  );
}
