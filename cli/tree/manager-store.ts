// manager store: what is done to a store while no manager works on it.
import type { Command } from 'commander';
import { noun, type Binder } from './binder.js';

export function addManagerStore(manager: Command, on: Binder): void {
  const verb = noun(
    manager,
    'store',
    "the managers' store: taking its content out, putting it in, moving it",
  );
  const dump = verb('dump', 'writes all that the store has into a file (- for stdout)').argument(
    '<file>',
  );
  on(dump, 'clusterflux manager store dump backup.jsonl', async (context, command, [file = '']) =>
    (await import('../commands/manager-store.js')).storeDump(context, command, file),
  );
  const restore = verb('restore', 'puts a dump into a store that no manager works on')
    .argument('<file>')
    .option(...REPLACE)
    .option(...DRY_RUN)
    .option('--yes', 'does it');
  on(
    restore,
    'clusterflux manager store restore backup.jsonl --yes',
    async (context, command, [file = '']) =>
      (await import('../commands/manager-store.js')).storeRestore(context, command, file),
  );
  const migrate = verb(
    'migrate',
    'moves the content of one kind of store to the other, with all managers stopped',
  )
    .requiredOption('--to <kind>', 'etcd or embedded; the other one is the source')
    .option(...REPLACE)
    .option(...DRY_RUN)
    .option('--yes', 'does it');
  on(migrate, 'clusterflux manager store migrate --to etcd --yes', async (context, command) =>
    (await import('../commands/manager-store.js')).storeMigrate(context, command),
  );
}

const REPLACE = ['--replace', 'overwrites what the target has'] as const;
const DRY_RUN = ['--dry-run', 'says what would be done, and does nothing'] as const;
