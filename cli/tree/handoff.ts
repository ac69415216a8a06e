// handoff: the hints that the agent on this machine keeps for others.
import type { Command } from 'commander';
import { addConfigFlags, AGENT_FLAGS } from '../config-flags.js';
import { noun, type Binder } from './binder.js';

export function addHandoffCommands(program: Command, on: Binder): void {
  const verb = noun(program, 'handoff', 'writes that the agent on this machine keeps for others');
  const load = () => import('../commands/handoff.js');
  const agentFlags = (command: Command) => addConfigFlags(command, STATE_FLAGS);
  const list = agentFlags(verb('list', 'for whom, how many, and since when'));
  on(list, 'clusterflux handoff list', async (context, command) =>
    (await load()).handoffList(context, command),
  );
  const get = agentFlags(verb('get', 'one backlog with its first hints').argument(...NODE));
  on(get, 'clusterflux handoff get 2', async (context, command, [node = '']) =>
    (await load()).handoffGet(context, command, node),
  );
  const drain = agentFlags(
    verb('drain', 'attempts the node at once and waits until nothing is left')
      .argument(...NODE)
      .option('--wait <duration>', 'how long', '60s'),
  );
  on(drain, 'clusterflux handoff drain 2 --wait 5m', async (context, command, [node = '']) =>
    (await load()).handoffDrain(context, command, node),
  );
  const purge = agentFlags(
    verb('purge', 'gives the hints up; the node is first marked as lacking those points')
      .argument(...NODE)
      .option('--dry-run', 'says what would be given up, and does nothing')
      .option('--yes', 'does it'),
  );
  on(purge, 'clusterflux handoff purge 2 --yes', async (context, command, [node = '']) =>
    (await load()).handoffPurge(context, command, node),
  );
  const save = agentFlags(
    verb('export', 'writes the hints as line protocol that `influx -import` reads')
      .argument(...NODE)
      .argument('<file>', 'a new file'),
  );
  on(save, 'clusterflux handoff export 2 hints.txt', async (context, command, args) => {
    const [node = '', file = ''] = args;
    return (await load()).handoffExport(context, command, node, file);
  });
}

const NODE = ['<node>', 'its number, its uid, or the beginning of its uid'] as const;

const STATE_FLAGS = AGENT_FLAGS.filter(({ path }) => path === 'agent.state-dir');
