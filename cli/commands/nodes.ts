// nodes list, get, forget.
import type { Command } from 'commander';
import { z } from 'zod';
import { encodeName } from '../../shared/api/names.js';
import {
  nodeListSchema,
  nodeSchema,
  registrySchema,
  type NodeBody,
} from '../../shared/api/nodes.js';
import { print, say, type Context } from '../context.js';
import { age } from '../output/age.js';
import { renderFields, renderTable } from '../output/table.js';
import { nodeIdNamed, nodeNamed, nodePath } from '../node-name.js';
import { assertYes, targetOf } from './target.js';

export async function nodesList(context: Context, command: Command): Promise<undefined> {
  const { api, cluster, isClusterGiven } = await targetOf(context, command);
  if (isClusterGiven) {
    print(context, await api.json(`/nodes/${encodeName(cluster)}`, nodeListSchema), nodesTable);
  } else {
    print(context, await api.json('/nodes', registrySchema), (registry) =>
      nodesTable(registry.influx),
    );
  }
  return undefined;
}

export async function nodesGet(context: Context, command: Command, id: string): Promise<undefined> {
  const target = await targetOf(context, command);
  const node = await nodeNamed(target, id);
  print(context, node, (each) =>
    renderFields([
      ['node', each.id],
      ['cluster', each.cluster],
      ['hostname', each.hostname],
      ['ip', each.ip],
      ['bind-address', each['bind-address']],
      ['alive', each.alive],
      ['last seen', `${age(each['last-seen'], Date.now())} ago`],
      ['version', each.version],
      ['state', each.state],
      ['pending', each.pending],
      ['held', heldText(each)],
      ['paused', pausedText(each)],
      ['uid', each.uid],
      ['versions', pairs(each.versions)],
      ['labels', pairs(each.labels)],
    ]),
  );
  return undefined;
}

const dryForgetSchema = z.object({ 'dry-run': z.literal(true), node: nodeSchema });

/** Prints nothing on stdout: the API's answer is empty. */
export async function nodesForget(
  context: Context,
  command: Command,
  id: string,
): Promise<undefined> {
  const target = await targetOf(context, command);
  const { api, cluster } = target;
  const node = await nodeIdNamed(target, id);
  const { force, dryRun } = command.opts<{ force?: true; dryRun?: true }>();
  const query = force === true ? 'force=true' : 'force=false';
  if (dryRun === true) {
    const path = nodePath(cluster, node, `?${query}&dry-run=true`);
    const look = await api.dryDelete(path, dryForgetSchema);
    print(context, look, () => nodesTable([look.node]));
    say(context, `node ${node} of cluster ${cluster} would be deregistered; nothing was changed`);
    return undefined;
  }
  assertYes(command, `deregisters node ${node} of cluster ${cluster}`);
  await api.delete(nodePath(cluster, node, force === true ? `?${query}` : ''));
  say(context, `node ${node} of cluster ${cluster} is deregistered`);
  return undefined;
}

export function nodesTable(nodes: readonly NodeBody[]): string {
  const nowMs = Date.now();
  return renderTable(nodes, [
    { title: 'cluster', value: (node) => node.cluster },
    { title: 'id', value: (node) => node.id, align: 'right' },
    { title: 'hostname', value: (node) => node.hostname },
    { title: 'ip', value: (node) => node.ip },
    { title: 'address', value: (node) => node['bind-address'] },
    { title: 'alive', value: (node) => (node.alive ? 'yes' : 'no') },
    { title: 'seen', value: (node) => age(node['last-seen'], nowMs), align: 'right' },
    { title: 'version', value: (node) => node.version, align: 'right' },
    { title: 'state', value: (node) => node.state },
    { title: 'pending', value: (node) => node.pending, align: 'right' },
    { title: 'held', value: (node) => node.held?.count ?? 0, align: 'right' },
    { title: 'paused', value: (node) => node.paused?.scope ?? 'no' },
  ]);
}

function heldText({ id, held }: NodeBody): string {
  return held === undefined || held === null
    ? '0'
    : `${held.count}; see \`clusterflux meta approve ${id} --dry-run\``;
}

/** Who did it, since when, and why. */
export function pausedText({ paused }: Pick<NodeBody, 'paused'>): string {
  if (paused === undefined || paused === null) return 'no';
  const { scope, by, at, reason } = paused;
  const why = reason === '' ? '' : `: ${reason}`;
  return `the ${scope}, by ${by}, ${age(at, Date.now())} ago${why}`;
}

function pairs(map: Readonly<Record<string, string>>): string {
  return Object.entries(map)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}
