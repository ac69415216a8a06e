// manager and agent: without a verb they run the program.
import type { Command } from 'commander';
import { addConfigFlags, AGENT_FLAGS, MANAGER_FLAGS } from '../config-flags.js';
import { addAgentOneOffs } from './agent-one-offs.js';
import type { Action, Binder } from './binder.js';
import { addManagerStore } from './manager-store.js';

const READY_FILE = ['--ready-file <file>', 'written once it is ready, removed on stop'] as const;

export function addPrograms(program: Command, on: Binder): void {
  const manager = program.command('manager').description('runs a manager in the foreground');
  addConfigFlags(manager, MANAGER_FLAGS).option(...READY_FILE);
  const runManager: Action = async (context, command) =>
    (await import('../commands/manager-run.js')).managerRun(context, command);
  const managerExample = 'clusterflux manager --data-dir ./manager --ready-file ./manager.json';
  on(manager, managerExample, runManager);
  on(manager.command('run').description('the same as no verb'), managerExample, runManager);
  addManagerStore(manager, on);

  const agent = program.command('agent').description('runs an agent in the foreground');
  addConfigFlags(agent, AGENT_FLAGS).option(...READY_FILE);
  const runAgent: Action = async (context, command) =>
    (await import('../commands/agent-run.js')).agentRun(context, command);
  const agentExample = 'clusterflux agent --cluster plant --endpoints http://manager:8000';
  on(agent, agentExample, runAgent);
  on(agent.command('run').description('the same as no verb'), agentExample, runAgent);
  addAgentOneOffs(agent, on);
}
