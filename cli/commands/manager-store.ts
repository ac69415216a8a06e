// manager store dump, restore, migrate: on the store itself, without a manager. What overwrites or closes something wants --yes.
import type { Command } from 'commander';
import {
  runDump,
  runMigrate,
  runRestore,
  type StoreCommandOptions,
} from '../../manager/store-commands.js';
import { AppError } from '../../shared/errors/app-error.js';
import { watchProcess } from '../../shared/lifecycle/process-signals.js';
import { createLogger } from '../../shared/log/logger.js';
import { loadFor, MANAGER_FLAGS } from '../config-flags.js';
import { print, say, type Context } from '../context.js';
import { assertYes } from './target.js';

/** What stands for stdout where a file is named. */
const STDOUT = '-';

interface WriteFlags {
  readonly replace?: true;
  readonly dryRun?: true;
  readonly to?: string;
}

export async function storeDump(
  context: Context,
  command: Command,
  file: string,
): Promise<undefined> {
  await withStores(context, command, async (options) => {
    const toStdout = (line: string) => Promise.resolve(void context.io.stdout.write(line));
    const dumped = await runDump(options, file === STDOUT ? toStdout : file);
    say(context, `dumped ${dumped.keys} keys at revision ${dumped.revision}`);
  });
  return undefined;
}

export async function storeRestore(
  context: Context,
  command: Command,
  file: string,
): Promise<undefined> {
  const { replace = false, dryRun = false } = command.opts<WriteFlags>();
  await withStores(context, command, async (options) => {
    if (file === STDOUT) {
      throw new AppError(
        'usage',
        'a dump is restored from a file, because it is read twice; name one',
      );
    }
    const plan = await runRestore(options, { file, replace, dryRun: true });
    const what = `restores ${plan.content} (of ${plan.source}, ${plan.created})${overwrites(plan.replaced)}`;
    if (!dryRun) assertYes(command, what);
    const result = dryRun ? plan : await runRestore(options, { file, replace, dryRun: false });
    print(context, result, ({ keys }) =>
      dryRun ? `this ${what}; nothing was changed` : `restored ${keys} keys`,
    );
  });
  return undefined;
}

export async function storeMigrate(context: Context, command: Command): Promise<undefined> {
  const { replace = false, dryRun = false, to } = command.opts<WriteFlags>();
  if (to !== 'etcd' && to !== 'embedded') {
    throw new AppError('usage', `--to takes etcd or embedded, got ${JSON.stringify(to ?? '')}`);
  }
  await withStores(context, command, async (options) => {
    const plan = await runMigrate(options, { to, replace, dryRun: true });
    const what = `moves ${plan.content} from ${plan.from} to ${plan.to}${overwrites(plan.replaced)}, and closes ${plan.from}`;
    if (!dryRun) assertYes(command, what);
    const result = dryRun ? plan : await runMigrate(options, { to, replace, dryRun: false });
    print(context, result, ({ keys }) =>
      dryRun
        ? `this ${what}; nothing was changed`
        : `moved ${keys} keys to ${plan.to}; now set manager.store = "${to}" and start the managers`,
    );
  });
  return undefined;
}

function overwrites(replaced: string | null): string {
  return replaced === null ? '' : `, overwriting ${replaced}`;
}

/** Configuration, a log for trouble only, and an orderly end at Ctrl-C. */
async function withStores(
  context: Context,
  command: Command,
  work: (options: StoreCommandOptions) => Promise<void>,
): Promise<void> {
  const { config, warnings } = loadFor(context, command, MANAGER_FLAGS);
  for (const warning of warnings) say(context, `warning: ${warning}`);
  const level = context.options.debug ? 'debug' : 'warn';
  const stream = context.io.stderr;
  const logger = createLogger({ level, format: config.log.format, service: 'manager', stream });
  const signals = watchProcess(context.io.host, logger);
  try {
    await work({ config, logger, signal: signals.signal });
  } finally {
    signals.dispose();
    await logger.flush();
  }
}
