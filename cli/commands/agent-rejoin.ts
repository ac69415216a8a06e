// agent rejoin: a new identity for this agent, in the cluster that --cluster or the configuration names.
import type { Command } from 'commander';
import type { OneOffOptions, OneOffResult } from '../../agent/commands/options.js';
import { print, type Context } from '../context.js';
import { runOneOff } from './agent-one-off.js';

export async function agentRejoin(
  context: Context,
  command: Command,
  runRejoin: (options: OneOffOptions) => Promise<OneOffResult>,
): Promise<undefined> {
  const result = await runOneOff(context, command, (options) => runRejoin(options));
  print(context, result, ({ sentence }) => sentence);
  return undefined;
}
