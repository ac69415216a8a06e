// demo.json: what runs where, and what was measured; for programs that drive or check the demo.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestCluster } from '../../test/support/cluster.js';
import type { Arrival, PlayedChange } from './play.js';

export interface DemoResult {
  readonly startedInMs: number;
  readonly changes: readonly PlayedChange[];
  /** The user, brought to the other nodes while their influxd was stopped. */
  readonly offline: readonly Arrival[];
}

/** True where every change is on every node. */
export function isComplete({ changes, offline }: DemoResult): boolean {
  const arrivals = changes.flatMap((change) => change.arrivals);
  const isThere = (arrival: Arrival): boolean =>
    arrival.outcome === 'arrived' ||
    (arrival.outcome === 'pending' &&
      offline.some(({ node, outcome }) => node === arrival.node && outcome === 'arrived'));
  return arrivals.length > 0 && arrivals.every(isThere);
}

/** Written into the directory of the cluster; resolves to the file's path. */
export async function writeRecord(
  cluster: TestCluster,
  store: string,
  result: DemoResult,
): Promise<string> {
  const file = join(cluster.dir, 'demo.json');
  const record = {
    store,
    cluster: cluster.name,
    complete: isComplete(result),
    'started-in-ms': Math.round(result.startedInMs),
    pid: process.pid,
    ...(store === 'etcd'
      ? { etcd: { endpoints: cluster.etcd.endpoints, pids: cluster.etcd.pids } }
      : {}),
    managers: cluster.managers.map(({ url, pid }) => ({ url, pid })),
    nodes: cluster.nodes.map(({ influxd, agent, statusUrl, configFile }, index) => ({
      node: index + 1,
      influxd: { url: influxd.url, pid: influxd.pid, 'meta-dir': influxd.metaDir },
      agent: { status: statusUrl, pid: agent.pid, config: configFile },
    })),
    changes: result.changes,
    offline: result.offline,
  };
  await writeFile(file, `${JSON.stringify(record, null, 2)}\n`);
  return file;
}
