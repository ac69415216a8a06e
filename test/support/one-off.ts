// The one-off commands of the agent in this process: the configuration for an influxd, and `agent sync` as the command line
// runs it.
import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import { Command } from 'commander';
import { runSync } from '../../agent/commands/sync.js';
import { agentSync } from '../../cli/commands/agent-sync.js';
import type { Config } from '../../shared/config/config.js';
import { loadConfig } from '../../shared/config/load.js';
import type { TestInfluxd } from './influxd.js';

/** What a command works on. */
export interface OneOffPlace {
  readonly config: Config;
  readonly influxd: TestInfluxd;
  readonly stateDir: string;
}

export function configOf(influxd: TestInfluxd, stateDir: string, endpoint: string): Config {
  return loadConfig({
    file: undefined,
    flags: [],
    directory: stateDir,
    facts: {
      home: stateDir,
      isWritable: () => false,
      openFilesLimit: 1_024,
      env: {
        CLUSTERFLUX_AGENT_CLUSTER: 'test',
        CLUSTERFLUX_AGENT_ENDPOINTS: endpoint,
        CLUSTERFLUX_AGENT_STATE_DIR: stateDir,
        CLUSTERFLUX_INFLUXDB_URL: influxd.url,
        CLUSTERFLUX_INFLUXDB_META_DIR: influxd.metaDir,
        CLUSTERFLUX_INFLUXDB_SNAPSHOT_ADDRESS: influxd.snapshotAddress,
      },
    },
  }).config;
}

/** `agent sync` as the command line runs it, with these flags. */
export async function command(
  { config, influxd, stateDir }: OneOffPlace,
  flags: Readonly<Record<string, boolean>>,
): Promise<{ exitCode: number; stderr: string }> {
  let stderr = '';
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      stderr += chunk.toString();
      done();
    },
  });
  const agentSyncCommand = new Command('sync');
  for (const [name, value] of Object.entries(flags)) agentSyncCommand.setOptionValue(name, value);
  const host = Object.assign(new EventEmitter(), { exit: () => undefined });
  const exitCode = await agentSync(
    {
      io: {
        stdout: sink,
        stderr: sink,
        env: {
          HOME: stateDir,
          CLUSTERFLUX_AGENT_CLUSTER: config.agent.cluster,
          CLUSTERFLUX_AGENT_ENDPOINTS: config.agent.endpoints.join(','),
          CLUSTERFLUX_AGENT_STATE_DIR: stateDir,
          CLUSTERFLUX_INFLUXDB_URL: influxd.url,
          CLUSTERFLUX_INFLUXDB_META_DIR: influxd.metaDir,
          CLUSTERFLUX_INFLUXDB_SNAPSHOT_ADDRESS: influxd.snapshotAddress,
        },
        directory: stateDir,
        host,
      },
      options: {
        config: undefined,
        manager: undefined,
        tokenFile: undefined,
        timeoutMs: 1_000,
        output: 'table',
        debug: false,
      },
    },
    agentSyncCommand,
    runSync,
  );
  return { exitCode, stderr };
}
