// agent restore: puts back one of the kept good meta.db while influxd is stopped.
import type { Command } from 'commander';
import { print, type Context } from '../context.js';
import { runOneOff, type RunRestore } from './agent-one-off.js';

export async function agentRestore(
  context: Context,
  command: Command,
  file: string | undefined,
  runRestore: RunRestore,
): Promise<undefined> {
  const result = await runOneOff(context, command, (options) => runRestore({ ...options, file }));
  print(context, result, ({ sentence }) => sentence);
  return undefined;
}
