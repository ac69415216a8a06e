// versions diff: two versions by the manager, or a version with what a live influxd has in memory right now.
import type { Command } from 'commander';
import { clusterSchema } from '../../shared/api/clusters.js';
import { diffSchema, type DiffBody } from '../../shared/api/history.js';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import { diffSchemas } from '../../shared/meta/diff.js';
import { readSchema } from '../../shared/meta/snapshot.js';
import { AppError } from '../../shared/errors/app-error.js';
import { print, type Context } from '../context.js';
import { EXIT } from '../exit-codes.js';
import { readLiveMetadata } from '../live-metadata.js';
import { clusterPath, nodeIdOf, targetOf, versionOf, type Target } from './target.js';

/** A difference with a live node has that node where a version would be. */
interface LiveDiff {
  readonly from: number;
  readonly to: string;
  readonly changes: DiffBody['changes'];
}

/** Exit code 1 with --exit-code where they differ; trouble has other codes. */
export async function versionsDiff(
  context: Context,
  command: Command,
  a: string,
  b: string | undefined,
): Promise<number> {
  const target = await targetOf(context, command);
  const from = versionOf(a);
  const live = b === undefined ? undefined : /^live:(.*)$/.exec(b)?.[1];
  const diff =
    live === undefined
      ? await diffVersions(target, from, b === undefined ? undefined : versionOf(b))
      : await diffLive(target, from, nodeIdOf(live), context.options.timeoutMs);
  print(context, diff, ({ changes }) => changes.map(changeLine).join('\n'));
  const isAsked = command.opts<{ exitCode?: true }>().exitCode === true;
  return isAsked && diff.changes.length > 0 ? EXIT.failed : EXIT.ok;
}

async function diffVersions(
  target: Target,
  from: number,
  to: number | undefined,
): Promise<DiffBody> {
  const { api, cluster } = target;
  const newest = to ?? (await api.json(clusterPath(cluster), clusterSchema)).version;
  return api.json(clusterPath(cluster, `/diff?from=${from}&to=${newest}`), diffSchema);
}

async function diffLive(
  target: Target,
  from: number,
  node: number,
  timeoutMs: number,
): Promise<LiveDiff> {
  const bytes = await target.api.bytes(clusterPath(target.cluster, `/history/${from}`));
  if (bytes === undefined) {
    throw new AppError('version-not-found', `the manager gave no content for version ${from}`, {
      status: 404,
    });
  }
  const live = await readLiveMetadata(target, node, timeoutMs);
  const before = readSchema(decodeSnapshot(bytes));
  const after = readSchema(decodeSnapshot(live));
  const changes = diffSchemas(before, after).map((change) => ({
    ...change,
    path: [...change.path],
  }));
  return { from, to: `live:${node}`, changes };
}

const MARKS = { created: '+', dropped: '-', altered: '~' } as const;

/** A difference as one line: `+` came, `-` went, `~` changed. */
export function changeLine(change: DiffBody['changes'][number]): string {
  return `${MARKS[change.kind]} ${change.text}`;
}
