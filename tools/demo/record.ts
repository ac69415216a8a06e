// demo.json: what runs where, and what was measured; for programs that drive or check the demo.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestCluster } from '../../test/support/cluster.js';
import type { Arrival, PlayedChange } from './play.js';
import { isWhole, type PointsStep } from './points.js';

export interface DemoResult {
  readonly startedInMs: number;
  readonly changes: readonly PlayedChange[];
  /** The user, brought to the other nodes while their influxd was stopped. */
  readonly offline: readonly Arrival[];
  /** Written and read through the gateways. */
  readonly points: readonly PointsStep[];
}

/** True where every change is on every node, and every point that was acknowledged is where it was asked for. */
export function isComplete({ changes, offline, points }: DemoResult): boolean {
  const arrivals = changes.flatMap((change) => change.arrivals);
  const isThere = (arrival: Arrival): boolean =>
    arrival.outcome === 'arrived' ||
    (arrival.outcome === 'pending' &&
      offline.some(({ node, outcome }) => node === arrival.node && outcome === 'arrived'));
  return arrivals.length > 0 && arrivals.every(isThere) && points.every(isWhole);
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
    nodes: cluster.nodes.map(({ influxd, agent, statusUrl, gatewayUrl, configFile }, index) => ({
      node: index + 1,
      influxd: { url: influxd.url, pid: influxd.pid, 'meta-dir': influxd.metaDir },
      gateway: gatewayUrl,
      agent: { status: statusUrl, pid: agent.pid, config: configFile },
    })),
    changes: result.changes,
    offline: result.offline,
    points: result.points,
  };
  await writeFile(file, `${JSON.stringify(record, null, 2)}\n`);
  return file;
}
