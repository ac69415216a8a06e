// shards: which nodes keep which time of which database, and what a person may change of it.
import type { Command } from 'commander';
import { noun, type Binder } from './binder.js';

export function addShardCommands(program: Command, on: Binder): void {
  const verb = noun(program, 'shards', 'which nodes keep which shard of which shard group');
  const list = verb('list', 'all groups with their owners; -o wide has a line for each owner')
    .option(...CLUSTER)
    .option(...DATABASE)
    .option(...POLICY)
    .option(
      '--local',
      "with -o wide: each owner's own shard ids and their bytes, asked of its agent",
    );
  on(list, 'clusterflux shards list --database telegraf -o wide', async (context, command) =>
    (await import('../commands/shards.js')).shardsList(context, command),
  );
  const map = verb('map', 'time by shard: the owners of each; ! may lack points')
    .option(...CLUSTER)
    .option(...DATABASE)
    .option(...POLICY);
  on(map, 'clusterflux shards map --database telegraf', async (context, command) =>
    (await import('../commands/shards.js')).shardsMap(context, command),
  );
  const explain = verb('explain', 'where points are written to, or which groups a query reads')
    .argument('<text>', 'a line of line protocol, or a query')
    .option(...CLUSTER)
    .option(...DATABASE)
    .option(...POLICY)
    .option('--precision <unit>', "of a line's time: n, u, ms, s, m or h", 'n');
  on(
    explain,
    "clusterflux shards explain --database telegraf 'SELECT mean(usage) FROM cpu WHERE time > now() - 1h'",
    async (context, command, [text = '']) =>
      (await import('../commands/shards-explain.js')).shardsExplain(context, command, text),
  );
  const truncate = verb('truncate', 'ends groups early, so that new ones get the owners of now')
    .option(...CLUSTER)
    .option('--database <name>', 'only of this database')
    .option('--policy <name>', 'only of this retention policy')
    .option(
      '--at <time>',
      'when (RFC 3339), at least placement.cut-lead (2 minutes) ahead; then where absent',
    )
    .option('--yes', 'does it');
  on(truncate, 'clusterflux shards truncate --database telegraf --yes', async (context, command) =>
    (await import('../commands/shards-change.js')).shardsTruncate(context, command),
  );
  const mark = verb('mark', 'says that a node has all points of groups, or may lack some')
    .argument('<node>', 'its number, or its hostname')
    .argument('<state>', 'complete or incomplete')
    .option(...CLUSTER)
    .option('--groups <ids>', 'comma-separated, or all', 'all')
    .option('--why <sentence>', 'shown to whoever looks; needed for incomplete')
    .option('--yes', 'does it');
  on(
    mark,
    'clusterflux shards mark 3 incomplete --why "its disk was replaced" --yes',
    async (context, command, [node = '', state = '']) =>
      (await import('../commands/shards-change.js')).shardsMark(context, command, { node, state }),
  );
}

const CLUSTER = ['--cluster <name>', 'the cluster; else agent.cluster'] as const;
const DATABASE = ['--database <name>', 'the database'] as const;
const POLICY = ['--policy <name>', "the retention policy; the database's default one"] as const;
