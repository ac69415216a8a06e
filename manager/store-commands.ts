// `manager store dump|restore|migrate`: opens the stores that the configuration names, runs the command, closes them. No
// manager runs in this process.
import type { Config } from '../shared/config/config.js';
import type { Logger } from '../shared/log/logger.js';
import { openStore } from './open-store.js';
import { dumpStore, type Dumped } from './store/archive/dump.js';
import type { WriteLine } from './store/archive/dump-file.js';
import type { Place } from './store/archive/fill.js';
import { migrateStore, type Migrated } from './store/archive/migrate.js';
import { restoreStore, type Restored } from './store/archive/restore.js';
import { Keys } from './store/keys.js';

export interface StoreCommandOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

type Kind = Config['manager']['store'];

/** @param to a file, or who takes the lines. Throws as `dumpStore` and `openStore`. */
export async function runDump(
  { config, logger, signal }: StoreCommandOptions,
  to: string | WriteLine,
): Promise<Dumped> {
  return await withStore({ config, logger }, config.manager.store, ({ store, keys }) =>
    dumpStore({ store, keys, to, at: now(), signal }),
  );
}

/** Throws as `restoreStore` and `openStore`. */
export async function runRestore(
  { config, logger, signal }: StoreCommandOptions,
  what: { readonly file: string; readonly replace: boolean; readonly dryRun: boolean },
): Promise<Restored> {
  return await withStore({ config, logger }, config.manager.store, (place) =>
    restoreStore({ ...place, ...what, at: now(), signal }),
  );
}

/** From the other kind of store, as the same configuration names it. Throws as `migrateStore` and `openStore`. */
export async function runMigrate(
  { config, logger, signal }: StoreCommandOptions,
  what: { readonly to: Kind; readonly replace: boolean; readonly dryRun: boolean },
): Promise<Migrated> {
  const { replace, dryRun } = what;
  const source: Kind = what.to === 'etcd' ? 'embedded' : 'etcd';
  return await withStore({ config, logger }, source, (from) =>
    withStore({ config, logger }, what.to, (to) =>
      migrateStore({ from, to, replace, dryRun, at: now(), signal }),
    ),
  );
}

async function withStore<T>(
  { config, logger }: Pick<StoreCommandOptions, 'config' | 'logger'>,
  kind: Kind,
  work: (place: Place) => Promise<T>,
): Promise<T> {
  const manager = { ...config.manager, store: kind };
  const { store, etcd } = await openStore({ ...config, manager }, logger);
  try {
    const keys = new Keys(config.etcd.prefix);
    return await work({ store, keys, isShared: etcd !== undefined });
  } finally {
    await store.close();
  }
}

function now(): string {
  return new Date().toISOString();
}
