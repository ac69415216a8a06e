// versions and meta: what a cluster's metadata is and was.
import type { Command } from 'commander';
import { noun, type Binder } from './binder.js';

export function addMetadataCommands(program: Command, on: Binder): void {
  addVersions(program, on);
  addMeta(program, on);
}

function addVersions(program: Command, on: Binder): void {
  const verb = noun(program, 'versions', "the kept versions of a cluster's metadata");
  const list = verb('list', 'the kept versions, newest first').option(...CLUSTER);
  on(list, 'clusterflux versions list', async (context, command) =>
    (await import('../commands/versions.js')).versionsList(context, command),
  );
  const get = verb('get', 'the metadata of one version')
    .argument('<version>')
    .option(...CLUSTER);
  on(get, 'clusterflux versions get 12', async (context, command, [version = '']) =>
    (await import('../commands/versions.js')).versionsGet(context, command, version),
  );
  const diff = verb('diff', 'what changed between two versions, or between one and a live node')
    .argument('<a>', 'a version')
    .argument('[b]', 'a version, or live:NODE; the newest where absent')
    .option(...CLUSTER)
    .option('--exit-code', '1 where they differ, 0 where they do not');
  on(diff, 'clusterflux versions diff 11 live:2', async (context, command, [a = '', b]) =>
    (await import('../commands/versions-diff.js')).versionsDiff(context, command, a, b),
  );
  const rollback = verb('rollback', 'makes a new version with the content of an old one')
    .argument('<version>')
    .option(...CLUSTER)
    .option('--dry-run', 'says what would change, and changes nothing')
    .option('--yes', 'does it, also where something goes')
    .option('--approve <digest>', 'the list of drops that the guard held and you looked at');
  on(rollback, 'clusterflux versions rollback 11 --dry-run', async (context, command, args) =>
    (await import('../commands/versions-rollback.js')).versionsRollback(
      context,
      command,
      args[0] ?? '',
    ),
  );
}

function addMeta(program: Command, on: Binder): void {
  const verb = noun(program, 'meta', 'the newest metadata of a cluster');
  const show = verb('show', 'databases, policies, queries, subscriptions, users').option(
    ...CLUSTER,
  );
  on(show, 'clusterflux meta show', async (context, command) =>
    (await import('../commands/meta.js')).metaShow(context, command),
  );
  const save = verb('export', 'writes a meta.db from which an influxd boots')
    .argument('<file>')
    .option(...CLUSTER);
  on(save, 'clusterflux meta export ./meta.db', async (context, command, [file = '']) =>
    (await import('../commands/meta.js')).metaExport(context, command, file),
  );
  const approve = verb('approve', 'decides what a node holds for a person')
    .argument('<node>', 'its number, or its hostname')
    .option(...CLUSTER)
    .option('--keep', 'what is held stays, everywhere')
    .option('--drop', 'what is held goes, everywhere; the default where only the guard holds it')
    .option('--dry-run', 'shows what is held and what would be done, and decides nothing')
    .option('--digest <digest>', 'decides only this list, as a dry run named it')
    .option('--yes', 'does it, where anything goes');
  on(approve, 'clusterflux meta approve 2 --keep', async (context, command, [node = '']) =>
    (await import('../commands/approve.js')).metaApprove(context, command, node),
  );
}

const CLUSTER = ['--cluster <name>', 'the cluster (agent.cluster)'] as const;
