// An agent for tests: the whole program in this process, with a state directory of its own, beside a real influxd.
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { runAgent } from '../../agent/main.js';
import { loadConfig } from '../../shared/config/load.js';
import type { Logger } from '../../shared/log/logger.js';
import { silentLogger } from '../../shared/log/logger.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { temporaryDirectory } from './temp-dir.js';

export interface TestAgentOptions {
  readonly influxd: {
    readonly url: string;
    readonly metaDir: string;
    readonly snapshotAddress: string;
  };
  readonly endpoints: readonly string[];
  readonly cluster?: string;
  /** A new temporary one where absent; it is not removed with the agent, so that another can be started on it. */
  readonly stateDir?: string;
  /** Further keys, as environment variables: `CLUSTERFLUX_AGENT_READY_TIMEOUT`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly logger?: Logger;
}

export interface TestAgent {
  /** Of the status server. */
  readonly url: string;
  readonly stateDir: string;
  readonly readyFile: string;
  /** Of the status server: status code and JSON body. */
  get(path: string): Promise<{ status: number; body: Record<string, unknown> }>;
  /** As SIGTERM does; resolves to the exit code when all of it has ended. */
  stop(): Promise<number>;
}

/** Resolves when its status server listens; rejects with what keeps the agent from starting. */
export async function startTestAgent(options: TestAgentOptions): Promise<TestAgent> {
  const stateDir = options.stateDir ?? (await temporaryDirectory('agent')).path;
  const port = await freePort();
  const { influxd } = options;
  const { config } = loadConfig({
    file: undefined,
    flags: [],
    directory: stateDir,
    facts: {
      home: stateDir,
      isWritable: () => false,
      openFilesLimit: 1_024,
      env: {
        CLUSTERFLUX_AGENT_CLUSTER: options.cluster ?? 'test',
        CLUSTERFLUX_AGENT_ENDPOINTS: options.endpoints.join(','),
        CLUSTERFLUX_AGENT_STATE_DIR: stateDir,
        CLUSTERFLUX_AGENT_BIND_ADDRESS: `127.0.0.1:${port}`,
        CLUSTERFLUX_GATEWAY_BIND_ADDRESS: '127.0.0.1:0',
        CLUSTERFLUX_INFLUXDB_URL: influxd.url,
        CLUSTERFLUX_INFLUXDB_META_DIR: influxd.metaDir,
        CLUSTERFLUX_INFLUXDB_SNAPSHOT_ADDRESS: influxd.snapshotAddress,
        ...options.env,
      },
    },
  });
  const stop = new AbortController();
  const readyFile = join(stateDir, 'ready.json');
  const running = runAgent({
    config,
    logger: options.logger ?? silentLogger(),
    registry: new Registry(),
    readyFile,
    signal: stop.signal,
    build: { version: '0.0.0', commit: 'test', node: process.versions.node },
  });
  const url = `http://127.0.0.1:${port}`;
  const get = async (path: string) => {
    const response = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(2_000) });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const listening = eventually(() => get('/livez'), { what: 'the agent to listen' });
  // Whoever stops the agent gets its end; until then a failure to start is the only thing that may end it.
  await Promise.race([listening, running]);
  return {
    url,
    stateDir,
    readyFile,
    get,
    stop: () => {
      stop.abort();
      return running;
    },
  };
}
