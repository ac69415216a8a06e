// manager [run]: a manager in the foreground, until SIGTERM or Ctrl-C.
import type { Command } from 'commander';
import { runManager } from '../../manager/main.js';
import { assertMayListen, mayListenWide } from '../../shared/config/checks.js';
import { loadFor, MANAGER_FLAGS } from '../config-flags.js';
import type { Context } from '../context.js';
import { runProgram } from './run-program.js';

export async function managerRun(context: Context, command: Command): Promise<number> {
  const loaded = loadFor(context, command, MANAGER_FLAGS);
  const { manager } = loaded.config;
  assertMayListen('manager.bind-address', manager.bindAddress, mayListenWide(manager));
  return runProgram(context, command, 'manager', loaded, runManager);
}
