// meta show, export.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { decodedSnapshotSchema } from '../../shared/api/snapshots.js';
import { AppError } from '../../shared/errors/app-error.js';
import { writeFileAtomically } from '../../shared/lifecycle/atomic-file.js';
import { decodeSnapshot, encodeSnapshot } from '../../shared/meta/codec.js';
import { exportSnapshot } from '../../shared/meta/snapshot.js';
import { print, say, type Context } from '../context.js';
import { snapshotText } from '../output/snapshot.js';
import { clusterPath, targetOf } from './target.js';

/** A reader that has seen nothing, and does not wait, gets the newest version. */
const NEWEST = '/versions/0?wait=0s';

export async function metaShow(context: Context, command: Command): Promise<undefined> {
  const { api, cluster } = await targetOf(context, command);
  const newest = await api.jsonOrNothing(clusterPath(cluster, NEWEST), decodedSnapshotSchema);
  if (newest === undefined) throw nothingYet(cluster);
  print(context, newest, snapshotText);
  return undefined;
}

/** Holds password hashes: the file is readable by its owner alone. */
export async function metaExport(
  context: Context,
  command: Command,
  file: string,
): Promise<undefined> {
  const { api, cluster } = await targetOf(context, command);
  const bytes = await api.bytes(clusterPath(cluster, NEWEST));
  if (bytes === undefined) throw nothingYet(cluster);
  const bootable = encodeSnapshot(exportSnapshot(decodeSnapshot(bytes)));
  const path = resolve(context.io.directory, file);
  await writeFileAtomically(path, bootable);
  print(context, { cluster, file: path, bytes: bootable.length }, () => path);
  say(
    context,
    `put it into an influxd's meta directory as meta.db before that influxd starts for the first time`,
  );
  return undefined;
}

function nothingYet(cluster: string): AppError {
  const message = `cluster ${cluster} has no metadata on this manager yet; \`clusterflux clusters list\` shows which have`;
  return new AppError('cluster-not-found', message, { status: 404 });
}
