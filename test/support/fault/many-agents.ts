// A process with many agents in it, each the real one (registry, heartbeats, reconciler, state on disk, HTTP to the managers)
// over an influxd in memory. It is told by messages what to do, and tells what its influxds have.
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { assemble } from '../../../agent/assemble.js';
import { FakeInflux } from '../../../agent/influxd/fake-influx.js';
import type { RealInfluxControl } from '../../../agent/influxd/influx-control.js';
import { openPorts } from '../../../agent/open-ports.js';
import { loadConfig } from '../../../shared/config/load.js';
import { silentLogger } from '../../../shared/log/logger.js';
import { readSchema } from '../../../shared/meta/snapshot.js';
import { schemaLines } from '../simulated-node.js';

export interface ManyAgentsOrder {
  /** Number of the first; they count on from there. */
  readonly first: number;
  readonly count: number;
  readonly cluster: string;
  readonly managers: readonly string[];
  /** For their state, one directory each. */
  readonly dir: string;
}

/** What all influxds of the process have. */
export interface ManyAgentsReport {
  /** One for each different schema. */
  readonly digests: readonly string[];
  /** Databases of the one that has fewest. */
  readonly databases: number;
}

/** To the process: the order first, then `join`, and `report` as often as one likes, each answered. */
export type ManyAgentsMessage =
  { readonly order: ManyAgentsOrder } | { readonly say: 'join' | 'report' };

class MemoryInfluxd extends FakeInflux implements RealInfluxControl {
  diagnostics() {
    return Promise.resolve({
      internalDatabase: '_internal',
      dataDir: undefined,
      metaDir: undefined,
      pid: undefined,
      started: undefined,
    });
  }

  executeOn(_database: string, statement: string) {
    return this.execute(statement);
  }
}

const NO_DATA_PLANE = {
  hints: () => [],
  noteInfluxd: () => undefined,
  control: () => Promise.reject(new Error('this agent has no hints')),
};

interface OneAgent {
  readonly influxd: MemoryInfluxd;
  join(): void;
}

async function makeAgent(order: ManyAgentsOrder, number: number): Promise<OneAgent> {
  const { config } = loadConfig({
    file: undefined,
    flags: [],
    directory: order.dir,
    facts: {
      home: order.dir,
      isWritable: () => false,
      openFilesLimit: 1_024,
      env: {
        CLUSTERFLUX_AGENT_CLUSTER: order.cluster,
        CLUSTERFLUX_AGENT_ENDPOINTS: order.managers.join(','),
        CLUSTERFLUX_AGENT_STATE_DIR: join(order.dir, `agent-${number}`),
        CLUSTERFLUX_INFLUXDB_META_DIR: join(order.dir, `meta-${number}`),
      },
    },
  });
  await mkdir(config.influxdb.metaDir, { recursive: true });
  const logger = silentLogger();
  const { signal } = new AbortController(); // never aborted: the process is killed
  const opened = await openPorts(config, logger);
  const influxd = new MemoryInfluxd();
  influxd.run(`CREATE DATABASE "of ${number}"`);
  const agent = assemble(
    {
      config,
      logger,
      registry: new Registry(),
      build: { version: '0.0.0', commit: 'test', node: process.versions.node },
      // Nobody asks for its status: what is registered is only ever compared with others'.
      address: () => ({ host: '127.0.0.1', port: number }),
      // What is asked here is whether metadata comes to rest; points have tests of their own.
      dataPlane: () => NO_DATA_PLANE,
      signal,
    },
    { ...opened, influxd },
  );
  return {
    influxd,
    join: () => {
      const parts = [agent.membership, agent.probe, agent.events];
      for (const part of parts) void part.start(signal);
      void agent.status.whenAnswered(signal).then(() => agent.loop.run(signal));
    },
  };
}

function report(agents: readonly OneAgent[]): ManyAgentsReport {
  const all = agents.map(({ influxd }) => influxd.data);
  const digests = all.map((data) =>
    createHash('sha256')
      .update(schemaLines(readSchema(data)).join('\n'))
      .digest('hex'),
  );
  return {
    digests: [...new Set(digests)],
    databases: Math.min(...all.map((data) => data.Databases.length)),
  };
}

let agents: readonly OneAgent[] = [];

process.on('message', (message: ManyAgentsMessage) => {
  void (async () => {
    if ('order' in message) {
      const { first, count } = message.order;
      const numbers = Array.from({ length: count }, (_, index) => first + index);
      agents = await Promise.all(numbers.map((number) => makeAgent(message.order, number)));
    } else if (message.say === 'join') {
      for (const agent of agents) agent.join();
    }
    process.send?.(report(agents));
  })();
});
process.on('disconnect', () => process.exit(0));
