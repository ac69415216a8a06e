// agent sync, apply, restore and rejoin: one-off commands, beside a running agent or instead of one.
import type { Command } from 'commander';
import { addConfigFlags, AGENT_FLAGS } from '../config-flags.js';
import type { Binder } from './binder.js';

export function addAgentOneOffs(agent: Command, on: Binder): void {
  const sync = agent
    .command('sync')
    .description('brings the local influxd and the cluster in line once, and ends')
    .option('--push', 'only local changes to the manager')
    .option('--pull', "only the manager's changes to the local influxd")
    .option('--offline', 'influxd is stopped: writes meta.db instead of running statements')
    .option('--dry-run', 'says what would be done, and does nothing')
    .option(
      '--wait <duration>',
      'how long to wait for influxd, and for a manager that is away',
      '20s',
    )
    .option(
      '--best-effort',
      'exit code 0 also where it could not be done (an init step must not keep influxd down)',
    );
  addConfigFlags(sync, AGENT_FLAGS);
  on(sync, 'clusterflux agent sync --wait 20s', async (context, command) => {
    const { runSync } = await import('../../agent/commands/sync.js');
    return (await import('../commands/agent-sync.js')).agentSync(context, command, runSync);
  });
  const apply = agent
    .command('apply')
    .description('restarts the local influxd once, for what no statement can set (passwords)')
    .option(
      '--restart [way]',
      'by "command" (influxdb.stop-command, start-command) or "signal" (a supervisor starts it again); as configured where absent',
    )
    .option('--dry-run', 'says what it would be restarted for, and does nothing')
    .option('--wait <duration>', 'how long to wait for a node that restarts or is down', '20s');
  addConfigFlags(apply, AGENT_FLAGS);
  on(apply, 'clusterflux agent apply --restart', async (context, command) => {
    const { runApplyRestart } = await import('../../agent/commands/apply-restart.js');
    return (await import('../commands/agent-apply.js')).agentApply(
      context,
      command,
      runApplyRestart,
    );
  });
  const restore = agent
    .command('restore')
    .description('puts back one of the last good meta.db of this node, while influxd is stopped')
    .argument('[file]', 'the one to restore; the newest kept one where absent')
    .option('--yes', 'does it; without, it says what would be done')
    .option('--best-effort', 'also where no manager answers')
    .option('--offline', 'you say that influxd is stopped, where its processes cannot be seen');
  addConfigFlags(restore, AGENT_FLAGS);
  on(restore, 'clusterflux agent restore --yes', async (context, command, [file]) => {
    const { runRestore } = await import('../../agent/commands/restore.js');
    return (await import('../commands/agent-restore.js')).agentRestore(
      context,
      command,
      file,
      runRestore,
    );
  });
  const rejoin = agent
    .command('rejoin')
    .description(
      'makes this agent a new node: after its state directory was restored or copied, or for another cluster',
    );
  addConfigFlags(rejoin, AGENT_FLAGS);
  on(rejoin, 'clusterflux agent rejoin --cluster plant', async (context, command) => {
    const { runRejoin } = await import('../../agent/commands/rejoin.js');
    return (await import('../commands/agent-rejoin.js')).agentRejoin(context, command, runRejoin);
  });
}
