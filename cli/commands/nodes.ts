// nodes list, get, forget.
import type { Command } from 'commander';
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
import { assertYes, nodeIdOf, targetOf } from './target.js';

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
  const { api, cluster } = await targetOf(context, command);
  const node = await api.json(`/nodes/${encodeName(cluster)}/${nodeIdOf(id)}`, nodeSchema);
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
      ['uid', each.uid],
      ['versions', pairs(each.versions)],
      ['labels', pairs(each.labels)],
    ]),
  );
  return undefined;
}

/** Prints nothing on stdout: the API's answer is empty. */
export async function nodesForget(
  context: Context,
  command: Command,
  id: string,
): Promise<undefined> {
  const { api, cluster } = await targetOf(context, command);
  const node = nodeIdOf(id);
  assertYes(command, `deregisters node ${node} of cluster ${cluster}`);
  const query = command.opts<{ force?: true }>().force === true ? '?force=true' : '';
  await api.delete(`/nodes/${encodeName(cluster)}/${node}${query}`);
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
  ]);
}

function pairs(map: Readonly<Record<string, string>>): string {
  return Object.entries(map)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}
