// The configuration keys that have a flag, and loading the configuration of a command with them.
import type { Command } from 'commander';
import { machineFacts } from '../shared/config/defaults.js';
import { loadConfig, type LoadedConfig } from '../shared/config/load.js';
import type { FlagSetting } from '../shared/config/sources.js';
import type { Context } from './context.js';

interface ConfigFlag {
  /** As commander takes it: `--store <kind>`, or without a value for a boolean. */
  readonly flags: string;
  /** The key that it sets. */
  readonly path: string;
  readonly description: string;
}

const LOG_FLAGS: readonly ConfigFlag[] = [
  { flags: '--log-level <level>', path: 'log.level', description: 'debug, info, warn or error' },
  { flags: '--log-format <format>', path: 'log.format', description: 'auto, text or json' },
];

export const MANAGER_FLAGS: readonly ConfigFlag[] = [
  {
    flags: '--bind-address <address>',
    path: 'manager.bind-address',
    description: 'where to listen',
  },
  {
    flags: '--advertise-address <address>',
    path: 'manager.advertise-address',
    description: 'what others are told',
  },
  { flags: '--store <kind>', path: 'manager.store', description: 'embedded or etcd' },
  {
    flags: '--data-dir <directory>',
    path: 'manager.data-dir',
    description: 'of the embedded store',
  },
  { flags: '--etcd-endpoints <urls>', path: 'etcd.endpoints', description: 'comma-separated' },
  { flags: '--etcd-prefix <prefix>', path: 'etcd.prefix', description: 'of all keys in etcd' },
  {
    flags: '--insecure',
    path: 'manager.insecure',
    description: 'may listen on every address without asking who connects',
  },
  ...LOG_FLAGS,
];

export const AGENT_FLAGS: readonly ConfigFlag[] = [
  { flags: '--cluster <name>', path: 'agent.cluster', description: 'the cluster to join' },
  {
    flags: '--endpoints <urls>',
    path: 'agent.endpoints',
    description: 'the managers, comma-separated',
  },
  {
    flags: '--state-dir <directory>',
    path: 'agent.state-dir',
    description: "the agent's own state",
  },
  { flags: '--bind-address <address>', path: 'agent.bind-address', description: 'where to listen' },
  {
    flags: '--advertise-address <address>',
    path: 'agent.advertise-address',
    description: 'what others are told',
  },
  { flags: '--influxdb-url <url>', path: 'influxdb.url', description: 'the local influxd' },
  {
    flags: '--meta-dir <directory>',
    path: 'influxdb.meta-dir',
    description: 'where influxd keeps meta.db',
  },
  {
    flags: '--snapshot-address <address>',
    path: 'influxdb.snapshot-address',
    description: "influxd's backup port",
  },
  { flags: '--join <mode>', path: 'agent.join', description: 'merge, pull or refuse' },
  {
    flags: '--insecure',
    path: 'agent.insecure',
    description: 'may listen on every address without asking who connects',
  },
  ...LOG_FLAGS,
];

export function addConfigFlags(command: Command, flags: readonly ConfigFlag[]): Command {
  for (const { flags: text, path, description } of flags) {
    command.option(text, `${description} (${path})`);
  }
  return command;
}

/** Reads the configuration with the flags that this command was given. Throws AppError `config-invalid`. */
export function loadFor(
  context: Context,
  command: Command,
  flags: readonly ConfigFlag[],
): LoadedConfig {
  const { env, directory } = context.io;
  return loadConfig({
    file: context.options.config,
    flags: givenFlags(command, flags),
    directory,
    facts: machineFacts(env),
  });
}

function givenFlags(command: Command, flags: readonly ConfigFlag[]): FlagSetting[] {
  const given: Record<string, unknown> = command.optsWithGlobals();
  return flags.flatMap(({ flags: text, path }) => {
    const flag = text.split(' ')[0] ?? text;
    const value = given[camelCase(flag.replace(/^--/, ''))];
    return typeof value === 'string' || typeof value === 'boolean' ? [{ path, value, flag }] : [];
  });
}

/** commander's name for an option's value. */
function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
