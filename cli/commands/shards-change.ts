// shards truncate, mark: what a person changes of the placement.
import type { Command } from 'commander';
import { placementSchema } from '../../shared/api/placement.js';
import { AppError } from '../../shared/errors/app-error.js';
import { parseTime } from '../../shared/influx/time.js';
import { print, say, type Context } from '../context.js';
import { nodeIdNamed } from '../node-name.js';
import { assertYes, clusterPath, targetOf } from './target.js';

interface TruncateFlags {
  readonly database?: string;
  readonly policy?: string;
  readonly at?: string;
}

/** The table is empty: what changed is one sentence on stderr. */
export async function shardsTruncate(context: Context, command: Command): Promise<undefined> {
  const { api, cluster } = await targetOf(context, command);
  const { database, policy, at } = command.opts<TruncateFlags>();
  if (at !== undefined && parseTime(at) === undefined) {
    throw new AppError('usage', `--at takes a time such as 2026-03-04T12:00:00Z, got "${at}"`);
  }
  const of = database === undefined ? '' : ` of database ${database}`;
  assertYes(command, `ends the shard groups${of} of cluster ${cluster} early`);
  const path = clusterPath(cluster, '/placement/truncate');
  const placement = await api.post(path, { database, policy, at }, placementSchema);
  const cut = placement.groups.filter((group) => group.cut?.counts === false);
  print(context, placement, () => '');
  say(
    context,
    `${cut.length} groups of cluster ${cluster} are to be cut once all members have confirmed it (version ${placement.version} of the placement)`,
  );
  return undefined;
}

interface MarkFlags {
  readonly groups: string;
  readonly why?: string;
}

export async function shardsMark(
  context: Context,
  command: Command,
  { node: name, state }: { readonly node: string; readonly state: string },
): Promise<undefined> {
  const target = await targetOf(context, command);
  const { groups: text, why } = command.opts<MarkFlags>();
  if (state !== 'complete' && state !== 'incomplete') {
    throw new AppError('usage', `a node is marked complete or incomplete, got "${state}"`);
  }
  if (state === 'incomplete' && why === undefined) {
    throw new AppError('usage', 'say why it may lack points: --why');
  }
  const groups = groupsNamed(text);
  const node = await nodeIdNamed(target, name);
  const what = `node ${node} of cluster ${target.cluster} ${state} for ${text === 'all' ? 'all its groups' : `the groups ${text}`}`;
  assertYes(
    command,
    state === 'complete'
      ? `marks ${what}: it answers reads of them, with what it has`
      : `marks ${what}: it answers no reads of them`,
  );
  const body = {
    node,
    groups,
    complete: state === 'complete',
    ...(why === undefined ? {} : { why }),
  };
  const path = clusterPath(target.cluster, '/placement/completeness');
  print(context, await target.api.post(path, body, placementSchema), () => '');
  say(context, `marked ${what}`);
  return undefined;
}

function groupsNamed(text: string): readonly number[] | 'all' {
  if (text === 'all') return 'all';
  if (/^[1-9]\d{0,14}(,[1-9]\d{0,14})*$/.test(text)) return text.split(',').map(Number);
  throw new AppError('usage', `--groups takes ids such as 12,13, or all; got "${text}"`);
}
