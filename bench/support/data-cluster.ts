// A cluster that takes points: one manager over etcd, and nodes of an influxd and an agent each, with a secret, as a cluster
// of several machines has it.
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startEtcd } from '../../test/support/etcd.js';
import { eventually } from '../../test/support/eventually.js';
import { startInfluxd, type TestInfluxd } from '../../test/support/influxd.js';
import { temporaryDirectory } from '../../test/support/temp-dir.js';
import type { Cleanup } from './bench.js';
import { startAgent, startManager, type Program } from './programs.js';

export interface DataNode {
  readonly influxd: TestInfluxd;
  readonly agent: Program;
}

export interface DataCluster {
  readonly nodes: readonly [DataNode, ...DataNode[]];
}

export interface DataClusterOptions {
  readonly nodes: number;
  /** Configuration keys of managers and agents, as environment variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The database that all benchmarks of points write to and read from. */
export const DATABASE = 'bench';

/** A first write makes the group, and the nodes hear of each other's hints. */
const SETTLES_WITHIN_MS = 60_000;

export async function startDataCluster(
  { nodes: count, env = {} }: DataClusterOptions,
  cleanup: Cleanup,
): Promise<DataCluster> {
  const etcd = await cleanup.keep(startEtcd(), (each) => each.stop());
  const directory = await cleanup.keep(temporaryDirectory('secret'), (each) => each.remove());
  const secretFile = join(directory.path, 'secret');
  await writeFile(secretFile, randomBytes(32).toString('hex'), { mode: 0o600 });
  const manager = await cleanup.keep(startManager(etcd.endpoints, { env }), (each) => each.stop());
  const nodes: DataNode[] = [];
  for (let index = 0; index < count; index += 1) {
    const influxd = await cleanup.keep(startInfluxd(), (each) => each.remove());
    const more = { ...env, CLUSTERFLUX_AGENT_SECRET_FILE: secretFile };
    const agent = await cleanup.keep(startAgent(manager, influxd, more), (each) => each.stop());
    nodes.push({ influxd, agent });
  }
  const cluster: DataCluster = { nodes: nodes as [DataNode, ...DataNode[]] };
  await makeDatabase(cluster);
  return cluster;
}

/** A lone influxd with the same database: what the cluster is compared with. */
export async function startReference(cleanup: Cleanup): Promise<TestInfluxd> {
  const influxd = await cleanup.keep(startInfluxd(), (each) => each.remove());
  await influxd.query(`CREATE DATABASE ${DATABASE}`);
  return influxd;
}

/** Until every node takes a write at the highest level, and each answers a query about it. */
async function makeDatabase({ nodes }: DataCluster): Promise<void> {
  const [{ agent }] = nodes;
  await ask(agent, `CREATE DATABASE ${DATABASE}`);
  for (const each of nodes) {
    await eventually(() => isServing(each.agent), {
      withinMs: SETTLES_WITHIN_MS,
      // A write that comes too early becomes hints, which have to be delivered and told of first.
      everyMs: 2_000,
      what: 'a gateway writes to all owners and answers queries',
    });
  }
}

async function isServing({ gatewayUrl }: Program): Promise<boolean> {
  const written = await fetch(`${gatewayUrl}/write?db=${DATABASE}&consistency=all`, {
    method: 'POST',
    body: 'warmup v=1i',
  });
  const said = await written.text();
  if (written.status !== 204)
    throw new Error(`a write was answered with ${written.status} ${said}`);
  const q = encodeURIComponent('SELECT v FROM warmup');
  const read = await fetch(`${gatewayUrl}/query?db=${DATABASE}&q=${q}`);
  const text = await read.text();
  if (!text.includes('warmup')) throw new Error(`a query was answered with ${read.status} ${text}`);
  return true;
}

/** Runs a statement through a gateway; the answer as text. Throws where it is refused. */
export async function ask({ gatewayUrl }: Program, statement: string): Promise<string> {
  const answer = await fetch(`${gatewayUrl}/query?db=${DATABASE}`, {
    method: 'POST',
    body: new URLSearchParams({ q: statement }),
  });
  const text = await answer.text();
  if (answer.status !== 200 || text.includes('"error"')) {
    throw new Error(`${statement} at ${gatewayUrl}: ${answer.status} ${text}`);
  }
  return text;
}

/** How many points of a measurement an influxd has, asked directly. */
export async function countOn(influxd: TestInfluxd, field = 'field_0'): Promise<number> {
  const [result] = await influxd.query(`SELECT count(${field}) FROM cpu`, { db: DATABASE });
  return Number(result?.series?.[0]?.values?.[0]?.[1] ?? 0);
}
