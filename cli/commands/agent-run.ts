// agent [run]: an agent in the foreground, until SIGTERM or Ctrl-C.
import type { Command } from 'commander';
import { runAgent } from '../../agent/main.js';
import { agentMayListenWide, assertMayListen } from '../../shared/config/checks.js';
import { AGENT_FLAGS, loadFor } from '../config-flags.js';
import type { Context } from '../context.js';
import { runProgram } from './run-program.js';

export async function agentRun(context: Context, command: Command): Promise<number> {
  const loaded = loadFor(context, command, AGENT_FLAGS);
  const { agent } = loaded.config;
  assertMayListen('agent.bind-address', agent.bindAddress, agentMayListenWide(agent));
  return runProgram(context, command, 'agent', loaded, runAgent);
}
