// clusters list, get, delete.
import type { Command } from 'commander';
import { z } from 'zod';
import { clusterListSchema, clusterSchema, type ClusterBody } from '../../shared/api/clusters.js';
import { checkName } from '../../shared/api/names.js';
import { print, say, type Context } from '../context.js';
import { age } from '../output/age.js';
import { renderFields, renderTable } from '../output/table.js';
import { assertYes, clusterPath, targetOf } from './target.js';

export async function clustersList(context: Context, command: Command): Promise<undefined> {
  const { api } = await targetOf(context, command);
  print(context, await api.json('/clusters', clusterListSchema), clustersTable);
  return undefined;
}

export async function clustersGet(
  context: Context,
  command: Command,
  name: string,
): Promise<undefined> {
  const { api } = await targetOf(context, command);
  const cluster = await api.json(clusterPath(checkName(name, 'cluster name')), clusterSchema);
  print(context, cluster, (each) =>
    renderFields([
      ['cluster', each.name],
      ['version', each.version],
      ['incarnation', each.incarnation],
      ['updated', each['updated-at']],
      ['nodes alive', `${each.nodes.alive} of ${each.nodes.all}`],
    ]),
  );
  return undefined;
}

const dryDeleteSchema = z.object({ 'dry-run': z.literal(true), cluster: clusterSchema });

/** Deletes the version that it saw: a cluster that moved on in between is a conflict (exit code 5). */
export async function clustersDelete(
  context: Context,
  command: Command,
  name: string,
): Promise<undefined> {
  const { api } = await targetOf(context, command);
  const path = clusterPath(checkName(name, 'cluster name'));
  const { version, nodes } = await api.json(path, clusterSchema);
  const { force, dryRun } = command.opts<{ force?: true; dryRun?: true }>();
  const query = `?expect=${version}${force === true ? '&force=true' : ''}`;
  if (dryRun === true) {
    const look = await api.dryDelete(`${path}${query}&dry-run=true`, dryDeleteSchema);
    print(context, look, () => clustersTable([look.cluster]));
    say(context, `cluster ${name} would be deleted at version ${version}; nothing was changed`);
    return undefined;
  }
  assertYes(
    command,
    `deletes cluster ${name} (version ${version}, ${nodes.alive} of ${nodes.all} nodes alive) from the manager`,
  );
  await api.delete(`${path}${query}`);
  say(context, `cluster ${name} is deleted at version ${version}`);
  return undefined;
}

export function clustersTable(clusters: readonly ClusterBody[]): string {
  const nowMs = Date.now();
  return renderTable(clusters, [
    { title: 'cluster', value: (cluster) => cluster.name },
    { title: 'version', value: (cluster) => cluster.version, align: 'right' },
    { title: 'changed', value: (cluster) => age(cluster['updated-at'], nowMs), align: 'right' },
    { title: 'alive', value: (cluster) => cluster.nodes.alive, align: 'right' },
    { title: 'nodes', value: (cluster) => cluster.nodes.all, align: 'right' },
    { title: 'incarnation', value: (cluster) => cluster.incarnation },
  ]);
}
