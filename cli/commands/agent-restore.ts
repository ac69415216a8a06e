// agent restore: puts back one of the kept good meta.db while influxd is stopped. Without --yes it says what it would do.
import type { Command } from 'commander';
import type { OneOffResult } from '../../agent/commands/options.js';
import type { RestoreOptions } from '../../agent/commands/restore.js';
import { print, say, type Context } from '../context.js';
import { runOneOff } from './agent-one-off.js';

interface RestoreFlags {
  readonly yes?: true;
  readonly bestEffort?: true;
  readonly offline?: true;
}

export async function agentRestore(
  context: Context,
  command: Command,
  file: string | undefined,
  runRestore: (options: RestoreOptions) => Promise<OneOffResult>,
): Promise<undefined> {
  const flags = command.opts<RestoreFlags>();
  const confirm = async (preview: string) => {
    say(context, preview);
    return true;
  };
  const result = await runOneOff(context, command, (options) =>
    runRestore({
      ...options,
      file,
      bestEffort: flags.bestEffort === true,
      assumeStopped: flags.offline === true,
      ...(flags.yes === true ? { confirm } : {}),
    }),
  );
  print(context, result, ({ sentence }) => sentence);
  return undefined;
}
