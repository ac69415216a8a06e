// A snapshot of 20 MB: pushed, pulled, kept, compared and read again after everything was started anew, in bounded memory. As a
// rule it has a fifth of that, which is several times what etcd takes at once; all of it with CLUSTERFLUX_TEST_RUNS.
import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeSnapshot } from '../../shared/meta/codec.js';
import { schemaOf, type SchemaObject } from '../../shared/meta/model.js';
import { emptyData, writeSchema } from '../../shared/meta/snapshot.js';
import { builtLauncher } from '../support/build.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import type { ClusterNode } from '../support/cluster-node.js';
import { database, policy } from '../support/snapshots.js';

const isLong = process.env['CLUSTERFLUX_TEST_RUNS'] !== undefined;

/** Together 20 MB, most of it in the queries. */
const DATABASES = isLong ? 1_000 : 200;
const POLICIES = 12;
const QUERIES = 4;
const QUERY_BYTES = 4_800;

const SNAPSHOT_BYTES = isLong ? 20_000_000 : 4_000_000;

/** Of one process, at its highest: decoded and encoded forms of two such snapshots and what collects as garbage meanwhile. */
const MEMORY_MIB = 1_024;

/** A change in a cluster of this size, on an idle machine; each influxd writes 20 MB for each of its own. */
const EQUAL_WITHIN_MS = 60_000;

describe(`a snapshot of ${isLong ? 20 : 4} MB`, function () {
  this.timeout(240_000);
  let cluster: TestCluster;
  let bytes: Uint8Array;

  before(async () => {
    bytes = encodeSnapshot(largeData());
    cluster = await startCluster({
      nodes: 0,
      store: 'etcd',
      launcher: await builtLauncher('failpoints'),
      influxd: { config: { continuous_queries: { enabled: false } } },
      config: { agent: { 'ready-timeout': '60s' }, log: { level: 'info' } },
    });
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed') console.log(await cluster.logTails());
  });
  after(async () => {
    await cluster.stop();
  });

  it('is pushed by one node and pulled by another before its influxd starts', async () => {
    expect(bytes.length).to.be.at.least(SNAPSHOT_BYTES);
    const first = await cluster.addNode({ withAgent: false });
    await first.influxd.stop();
    await writeFile(join(first.influxd.metaDir, 'meta.db'), bytes);
    await first.influxd.start();
    await timed('pushed', () => first.startAgent());
    await timed('the cluster has it', () => cluster.converged({ withinMs: EQUAL_WITHIN_MS }));

    const second = await cluster.addNode({ withAgent: false });
    await second.influxd.stop();
    const pulled = await timed('pulled offline', () => syncOffline(second));
    expect(pulled.code, pulled.stderr).to.equal(0);
    await second.influxd.start();
    await timed('joined', () => second.startAgent());
    await cluster.converged({ withinMs: EQUAL_WITHIN_MS });
  });

  it('is changed on both nodes, and its history, differences and old versions can be read', async () => {
    const [one, two] = cluster.nodes as [ClusterNode, ClusterNode];
    const [manager] = cluster.managers;
    const path = `/clusters/${cluster.name}`;
    const { version: before } = await manager!.get<{ version: number }>(path);
    for (const [index, { influxd }] of [one, two, one].entries()) {
      await influxd.query(`CREATE DATABASE "new ${index}"`);
      await timed('a change is everywhere', () => cluster.converged({ withinMs: EQUAL_WITHIN_MS }));
    }
    const history = await manager!.get<{ version: number; bytes: number }[]>(`${path}/history`);
    expect(history[0]!.version).to.be.at.least(before + 3);
    expect(history[0]!.bytes).to.be.above(SNAPSHOT_BYTES);
    const newest = history[0]!.version;
    const { changes } = await manager!.get<{ changes: { text: string }[] }>(
      `${path}/diff?from=${before}&to=${newest}`,
    );
    expect(changes.map(({ text }) => text)).to.include.members(
      [0, 1, 2].map((index) => `database new ${index}: created`),
    );
    const old = await fetch(`${manager!.url}${path}/history/${before}`);
    expect((await old.arrayBuffer()).byteLength).to.be.above(SNAPSHOT_BYTES);
  });

  it('is there after everything was started again, and goes on being changed', async () => {
    const [one, two] = cluster.nodes as [ClusterNode, ClusterNode];
    const peaks = await memoryPeaks();
    await Promise.all([...cluster.nodes.map((node) => node.end()), cluster.managers[0]!.kill9()]);
    await cluster.etcd.restart();
    await Promise.all([
      cluster.managers[0]!.start(),
      ...cluster.nodes.map((node) => node.startInfluxd()),
    ]);
    await timed('all started again', () => Promise.all([one.startAgent(), two.startAgent()]));
    await two.influxd.query('DROP DATABASE "new 0"');
    await cluster.converged({ withinMs: EQUAL_WITHIN_MS });
    expect(await one.influxd.names('SHOW DATABASES')).to.have.length(DATABASES + 2);
    peaks.push(...(await memoryPeaks()));
    console.log(`      memory at most, MiB: ${peaks.join(', ')}`);
    expect(Math.max(...peaks)).to.be.below(MEMORY_MIB);
  });

  /** The highest resident size so far of each manager and agent, in MiB. */
  async function memoryPeaks(): Promise<number[]> {
    const pids = [...cluster.managers, ...cluster.nodes.map(({ agent }) => agent)].map(
      ({ pid }) => pid,
    );
    const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/status`, 'utf8')));
    return texts.map((text) => Math.round(Number(/VmHWM:\s+(\d+)/.exec(text)?.[1]) / 1024));
  }

  function syncOffline({ influxd, stateDir }: ClusterNode) {
    return cluster.run(['agent', 'sync', '--offline'], {
      CLUSTERFLUX_AGENT_CLUSTER: cluster.name,
      CLUSTERFLUX_AGENT_ENDPOINTS: cluster.managers[0]!.url,
      CLUSTERFLUX_AGENT_STATE_DIR: stateDir,
      CLUSTERFLUX_INFLUXDB_URL: influxd.url,
      CLUSTERFLUX_INFLUXDB_META_DIR: influxd.metaDir,
      CLUSTERFLUX_INFLUXDB_SNAPSHOT_ADDRESS: influxd.snapshotAddress,
    });
  }
});

/** Random text where it is long, so that it stays long when it is compressed. */
function largeData() {
  const objects: SchemaObject[] = [];
  for (let index = 0; index < DATABASES; index += 1) {
    const name = `database of the department ${index}`;
    objects.push(database(name));
    for (let number = 0; number < POLICIES; number += 1) {
      objects.push(policy(name, number === 0 ? 'autogen' : `policy ${number}`));
    }
    for (let number = 0; number < QUERIES; number += 1) {
      const measurement = randomBytes(QUERY_BYTES / 2).toString('hex');
      const query = `CREATE CONTINUOUS QUERY q${number} ON "${name}" BEGIN SELECT mean(v) INTO "${name}".autogen.m_${measurement} FROM "${name}".autogen.m GROUP BY time(1h) END`;
      objects.push({ kind: 'continuous-query', path: [name, `q${number}`], value: { query } });
    }
  }
  const data = writeSchema(emptyData(), schemaOf(objects));
  data.Index = 2n;
  data.ClusterID = 4_711n;
  return data;
}

async function timed<T>(what: string, action: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await action();
  console.log(`      ${what}: ${Math.round(performance.now() - began)} ms`);
  return result;
}
