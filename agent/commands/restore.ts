// agent restore: puts a kept meta.db back while influxd is stopped, so that the shards on disk are found again. The node then
// joins the cluster anew, which drops nothing.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isAppError } from '../../shared/errors/app-error.js';
import { writeFileAtomically } from '../../shared/lifecycle/atomic-file.js';
import type { Data } from '../../shared/meta/gen/meta_pb.js';
import { BACKUP_DIRECTORY } from '../assemble.js';
import type { MetaBackup } from '../influxd/meta-backups.js';
import { openMetaBackups } from '../influxd/meta-backups.js';
import { META_FILE, errorCode } from '../influxd/meta-file.js';
import type { LoadedShard } from '../influxd/port.js';
import { createHttpManagerApi } from '../manager-api/http-manager-api.js';
import type { OpenPorts } from '../open-ports.js';
import { openPorts } from '../open-ports.js';
import { sharedDatabases } from '../shared-databases.js';
import type { MetaWriter } from '../sync/apply-offline.js';
import type { RemoteState } from '../sync/remote-view.js';
import { RemoteView } from '../sync/remote-view.js';
import type { KeptMeta } from './kept-meta.js';
import { chooseKept } from './kept-meta.js';
import { metaWriterOf } from './meta-writer-of.js';
import type { OneOffOptions, OneOffResult } from './options.js';
import { restoredData, unlistedShards } from './restored-data.js';

export interface RestoreOptions extends OneOffOptions {
  /** The name of a kept meta.db, or a path; undefined: the newest kept one. */
  readonly file: string | undefined;
  /** Restore also where no manager answers: then without what the cluster has got since. */
  readonly bestEffort?: boolean;
  /** A person says that influxd is stopped, where that can't be seen. */
  readonly assumeStopped?: boolean;
  /** Asked once, with what will be done; absent: nobody can be asked, and nothing is done. */
  readonly confirm?: (preview: string) => Promise<boolean>;
}

/** The file that a restore replaced, in the state directory; the one before it is gone then. */
const REPLACED_FILE = 'meta-replaced.db';

/** How many orphans are named before the rest is counted. */
const NAMED_SHARDS = 5;

/**
 * Throws AppError `influxd-running`, `already-running` (an agent holds the state directory), `meta-unreadable`,
 * `manager-unreachable`, `usage` (not confirmed), `version-conflict`, `state-unwritable`; then meta.db is as it was.
 */
export async function runRestore(options: RestoreOptions): Promise<OneOffResult> {
  const ports = await openPorts(options.config, options.logger).catch((error: unknown) => {
    if (!isAppError(error, 'already-running')) throw error;
    throw new AppError(
      'already-running',
      `an agent runs here, and it would act on a meta.db that is being replaced: stop it first (${error.message})`,
      { details: error.details, cause: error },
    );
  });
  try {
    return await restore(ports, options);
  } finally {
    await ports.close();
  }
}

async function restore(ports: OpenPorts, options: RestoreOptions): Promise<OneOffResult> {
  const { config, signal, assumeStopped = false } = options;
  const { stateDir } = config.agent;
  const { metaDir } = config.influxdb;
  const writer = metaWriterOf(config, { assumeStopped });
  const current = await readCurrent(writer, metaDir, signal);
  const directory = join(stateDir, BACKUP_DIRECTORY);
  const chosen = await chooseKept(openMetaBackups(directory), directory, options.file);
  const remote = await readCluster(ports, options);
  const disk = await writer.shardsOnDisk(signal);
  const data = restoredData({
    kept: chosen.data,
    current: current.data,
    remote,
    disk,
    base: ports.base.state,
    settings: {
      joinPolicy: config.agent.join === 'pull' ? 'pull' : 'merge',
      isShared: sharedDatabases(config.sync),
      ownUser: config.influxdb.username,
      nowMs: Date.now(),
    },
  });
  const lost = unlistedShards(data, disk);
  await ask(previewOf({ chosen, metaDir, remote, lost }), options);
  if (current.bytes !== undefined) {
    await writeFileAtomically(join(stateDir, REPLACED_FILE), current.bytes);
  }
  // Before the write: a crash in between costs a join, which drops nothing.
  await ports.base.append([{ record: 'join', why: 'a kept meta.db was put back' }]);
  await writer.write(data, current.bytes, signal);
  return {
    sentence: sentenceOf(chosen.name, lost, current.bytes && join(stateDir, REPLACED_FILE)),
  };
}

interface CurrentFile {
  readonly bytes: Buffer | undefined;
  /** Undefined where there is no file, or none that can be read. */
  readonly data: Data | undefined;
}

/** Throws `influxd-running`. A damaged file is what one restores over. */
async function readCurrent(
  writer: MetaWriter,
  metaDir: string,
  signal: AbortSignal,
): Promise<CurrentFile> {
  const file = await writer.readFile(signal);
  if (file.kind === 'missing') return { bytes: undefined, data: undefined };
  if (file.kind === 'found') return { bytes: file.bytes, data: file.data };
  try {
    return { bytes: await readFile(join(metaDir, META_FILE)), data: undefined };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return { bytes: undefined, data: undefined };
    throw new AppError('meta-unreadable', `${file.reason}; and it is not replaced unseen`, {
      cause: error,
    });
  }
}

/** Undefined where no manager answers and --best-effort allows to go on. */
async function readCluster(
  { client }: OpenPorts,
  { config, bestEffort, signal, logger }: RestoreOptions,
): Promise<RemoteState | undefined> {
  const view = new RemoteView(createHttpManagerApi(client), config.agent.cluster);
  try {
    await view.refresh(signal);
    return await view.load(signal);
  } catch (error) {
    if (!isAppError(error, 'manager-unreachable')) throw error;
    if (bestEffort === true) {
      logger.warn('restoring without what the cluster has got since', { err: error });
      return undefined;
    }
    throw new AppError(
      'manager-unreachable',
      `${error.message}; add --best-effort to restore without what the cluster has got since`,
      { status: 503, retryable: true, cause: error },
    );
  }
}

async function ask(preview: string, { confirm }: RestoreOptions): Promise<void> {
  if (confirm === undefined) {
    throw new AppError('usage', `${preview}\nnothing was changed: add --yes to do it`);
  }
  if (!(await confirm(preview))) throw new AppError('aborted', 'nothing was changed');
}

function previewOf(parts: {
  readonly chosen: KeptMeta;
  readonly metaDir: string;
  readonly remote: RemoteState | undefined;
  readonly lost: readonly LoadedShard[];
}): string {
  const { chosen, metaDir, remote, lost } = parts;
  const cluster =
    remote === undefined
      ? 'as it is, because no manager answers'
      : `with what the cluster has at version ${remote.tag?.version ?? 0}`;
  const others = chosen.kept.length > 1 ? [`kept, newest first: ${namesOf(chosen.kept)}`] : [];
  return [
    `${chosen.name} will be put in place of ${join(metaDir, META_FILE)}, ${cluster}`,
    ...lostText(lost),
    ...others,
  ].join('\n');
}

function namesOf(kept: readonly MetaBackup[]): string {
  return kept.map(({ name }) => name).join(', ');
}

function sentenceOf(
  name: string,
  lost: readonly LoadedShard[],
  replaced: string | undefined,
): string {
  return [
    `${name} was put back; start influxd, then the agent, which joins the cluster anew and drops nothing`,
    ...lostText(lost),
    ...(replaced === undefined ? [] : [`the replaced file is ${replaced}`]),
  ].join('\n');
}

function lostText(lost: readonly LoadedShard[]): string[] {
  if (lost.length === 0) return [];
  const named = lost
    .slice(0, NAMED_SHARDS)
    .map(({ id, database, policy }) => `${id} of ${database}.${policy}`)
    .join(', ');
  const more = lost.length > NAMED_SHARDS ? ` and ${lost.length - NAMED_SHARDS} more` : '';
  return [
    `it does not list these shards on disk, so their points are not found: ${named}${more}; take another file, or move them away before you start influxd, else the agent changes nothing here`,
  ];
}
