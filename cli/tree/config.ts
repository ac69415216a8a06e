// config and version: what asks nobody.
import type { Command } from 'commander';
import { noun, type Binder } from './binder.js';

export function addConfigCommands(program: Command, on: Binder): void {
  const verb = noun(program, 'config', 'the configuration');
  const show = verb('print', 'what is in effect, and where each value came from');
  on(show, 'CLUSTERFLUX_ETCD_TTL=5s clusterflux config print', async (context, command) =>
    (await import('../commands/config.js')).configPrint(context, command),
  );
  const check = verb('check', 'says what is wrong with it, or that nothing is');
  const checkExample = 'clusterflux config check --config /etc/clusterflux/config.toml';
  on(check, checkExample, async (context, command) =>
    (await import('../commands/config.js')).configCheck(context, command),
  );
  const sample = verb('sample', 'a complete commented file');
  on(sample, 'clusterflux config sample > config.toml', async (context) =>
    (await import('../commands/config.js')).configSample(context),
  );
  const version = program.command('version').description('which build this is');
  on(version, 'clusterflux version -o json', async (context) =>
    (await import('../commands/version.js')).version(context),
  );
}
