// status: managers, clusters and nodes on one screen.
import type { Command } from 'commander';
import { clusterListSchema, type ClusterBody } from '../../shared/api/clusters.js';
import { registrySchema, type NodeBody, type RegistryBody } from '../../shared/api/nodes.js';
import { print, type Context } from '../context.js';
import { renderTable } from '../output/table.js';
import { clustersTable } from './clusters.js';
import { nodesTable } from './nodes.js';
import { targetOf } from './target.js';

/** Both API objects, unchanged but for what --cluster leaves out. */
interface Overview {
  readonly managers: RegistryBody['cflux'];
  readonly clusters: readonly ClusterBody[];
  readonly nodes: RegistryBody['influx'];
}

export async function status(context: Context, command: Command): Promise<undefined> {
  const { api, cluster, isClusterGiven } = await targetOf(context, command);
  const [registry, clusters] = await Promise.all([
    api.json('/nodes', registrySchema),
    api.json('/clusters', clusterListSchema),
  ]);
  const isShown = (name: string): boolean => !isClusterGiven || name === cluster;
  const overview: Overview = {
    managers: registry.cflux,
    clusters: clusters.filter((each) => isShown(each.name)),
    nodes: registry.influx.filter((each) => isShown(each.cluster)),
  };
  print(context, overview, statusText);
  return undefined;
}

function statusText({ managers, clusters, nodes }: Overview): string {
  const managersTable = renderTable(managers, [
    { title: 'manager', value: (manager) => manager.id },
    { title: 'hostname', value: (manager) => manager.hostname },
    { title: 'address', value: (manager) => manager['bind-address'] },
    { title: 'alive', value: (manager) => (manager.alive ? 'yes' : 'no') },
    { title: 'build', value: (manager) => manager.version },
  ]);
  return [summary(clusters, nodes), managersTable, clustersTable(clusters), nodesTable(nodes)].join(
    '\n\n',
  );
}

/** One sentence: how many nodes live, and how many have the newest version of their cluster. */
function summary(clusters: readonly ClusterBody[], nodes: RegistryBody['influx']): string {
  const newest = new Map(clusters.map((cluster) => [cluster.name, cluster.version]));
  const alive = nodes.filter((node) => node.alive);
  const inStep = alive.filter((node) => node.version === newest.get(node.cluster));
  const pending = nodes.reduce((sum, node) => sum + node.pending, 0);
  const rest =
    pending === 0 ? '' : `; ${pending} differences can't be applied yet (see each agent's /status)`;
  const lines = [
    `${alive.length} of ${nodes.length} nodes alive, ${inStep.length} at their cluster's newest version${rest}`,
  ];
  const isTold = new Set<string>();
  for (const node of nodes) lines.push(...waitingFor(node, isTold));
  return lines.join('\n');
}

/** What waits for a person, each with the command that ends it; a paused cluster once. */
function waitingFor(node: NodeBody, told: Set<string>): string[] {
  const { id, cluster, held, paused } = node;
  const flag = `--cluster ${shellWord(cluster)}`;
  const lines: string[] = [];
  if (held !== undefined && held !== null) {
    lines.push(
      `node ${id} of ${cluster} holds ${held.count} objects for a person: clusterflux meta approve ${id} ${flag}`,
    );
  }
  if (paused?.scope === 'node') {
    lines.push(`node ${id} of ${cluster} is paused: clusterflux resume ${id} ${flag}`);
  } else if (paused?.scope === 'cluster' && !told.has(cluster)) {
    told.add(cluster);
    lines.push(`cluster ${cluster} is paused: clusterflux resume ${flag}`);
  }
  return lines;
}

/** A name as a shell takes it. */
function shellWord(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", String.raw`'\''`)}'`;
}
