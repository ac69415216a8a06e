// events, pause and resume: what happened, and making nodes stand still.
import type { Command } from 'commander';
import type { Binder } from './binder.js';

export function addOrderCommands(program: Command, on: Binder): void {
  const events = program
    .command('events')
    .description('what happened in a cluster: nodes, versions, joins, conflicts, holds')
    .option(...CLUSTER)
    .option('-f, --follow', 'goes on with what happens, until Ctrl-C')
    .option('--since <when>', 'a duration such as 1h, or the id of an event')
    .option('--kind <kinds>', 'only these kinds, comma-separated');
  on(events, 'clusterflux events -f --since 1h --kind conflict,hold', async (context, command) =>
    (await import('../commands/events.js')).events(context, command),
  );
  for (const verb of ['pause', 'resume'] as const) {
    const command = program
      .command(verb)
      .description(DESCRIPTIONS[verb])
      .argument('[node]', 'its number, or its hostname; the whole cluster where absent')
      .option(...CLUSTER)
      .option('--reason <text>', 'shown to whoever looks')
      .option('--wait <duration>', 'waits until every node that is alive obeys')
      .option('--dry-run', 'says what would be ordered, and orders nothing');
    on(command, EXAMPLES[verb], async (context, given, [node]) =>
      (await import('../commands/pause.js')).pauseOrResume(context, given, verb, node),
    );
  }
}

const DESCRIPTIONS = {
  pause: 'makes a node, or all, push and apply nothing; influxd goes on',
  resume: 'ends a pause',
} as const;

const EXAMPLES = {
  pause: 'clusterflux pause 2 --reason "disk change" --wait 30s',
  resume: 'clusterflux resume 2 --wait 30s',
} as const;

const CLUSTER = ['--cluster <name>', 'the cluster (agent.cluster)'] as const;
