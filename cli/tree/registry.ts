// status, nodes and clusters: what a manager knows of who is there.
import type { Command } from 'commander';
import { noun, type Binder } from './binder.js';

export function addRegistryCommands(program: Command, on: Binder): void {
  const status = program
    .command('status')
    .description('managers, clusters and nodes on one screen');
  on(
    status.option('--cluster <name>', 'only this cluster'),
    'clusterflux status',
    async (context, command) => (await import('../commands/status.js')).status(context, command),
  );
  addNodes(program, on);
  addClusters(program, on);
}

function addNodes(program: Command, on: Binder): void {
  const verb = noun(program, 'nodes', 'the nodes of a cluster');
  const list = verb('list', 'all nodes of all clusters').option(
    '--cluster <name>',
    'only of this cluster',
  );
  on(list, 'clusterflux nodes list', async (context, command) =>
    (await import('../commands/nodes.js')).nodesList(context, command),
  );
  const get = verb('get', 'one node')
    .argument('<node>', 'its number, or its hostname')
    .option(...CLUSTER);
  on(get, 'clusterflux nodes get 2 -o json', async (context, command, [id = '']) =>
    (await import('../commands/nodes.js')).nodesGet(context, command, id),
  );
  const forget = verb('forget', 'deregisters a node; its id stays reserved')
    .argument('<node>', 'its number, or its hostname')
    .option(...CLUSTER)
    .option('--force', 'also where that loses something; what is lost is recorded')
    .option('--dry-run', 'says what would be done, and does nothing')
    .option('--yes', 'does it');
  on(forget, 'clusterflux nodes forget 3 --yes', async (context, command, [id = '']) =>
    (await import('../commands/nodes.js')).nodesForget(context, command, id),
  );
}

function addClusters(program: Command, on: Binder): void {
  const verb = noun(program, 'clusters', 'the clusters of a manager');
  on(verb('list', 'all clusters'), 'clusterflux clusters list', async (context, command) =>
    (await import('../commands/clusters.js')).clustersList(context, command),
  );
  const get = verb('get', 'one cluster').argument('<name>');
  on(get, 'clusterflux clusters get plant', async (context, command, [name = '']) =>
    (await import('../commands/clusters.js')).clustersGet(context, command, name),
  );
  const remove = verb(
    'delete',
    "deletes a cluster's metadata in the manager; no influxd loses anything",
  )
    .argument('<name>')
    .option('--force', 'also while nodes of it are alive')
    .option('--dry-run', 'says what would be done, and does nothing')
    .option('--yes', 'does it');
  on(remove, 'clusterflux clusters delete plant --yes', async (context, command, [name = '']) =>
    (await import('../commands/clusters.js')).clustersDelete(context, command, name),
  );
}

const CLUSTER = ['--cluster <name>', 'the cluster (agent.cluster)'] as const;
