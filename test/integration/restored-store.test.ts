// A store that goes back to yesterday under a cluster that went on: by our own dump and by a copy of etcd's files. It then runs
// past the old number with other content, and etcd gives no sign of it: agents and managers must find out by themselves.
import { expect } from 'chai';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { readNewest } from '../support/converged.js';
import { eventually } from '../support/eventually.js';
import { withDatabase } from '../support/snapshots.js';

describe('an etcd that went back to yesterday', function () {
  this.timeout(90_000);
  const cluster = useCluster({ nodes: 2, store: 'etcd' });
  const manager = () => cluster().managers[0]!;
  const node = (index: number) => cluster().nodes[index]!;
  const store = (...args: string[]) =>
    cluster().cli('manager', 'store', ...args, '--config', manager().configFile);

  const incarnation = async () =>
    (await manager().get<{ incarnation: string }>(`/clusters/${cluster().name}`)).incarnation;
  const version = async () => (await readNewest(manager().url, cluster().name)).version;

  /** Takes a backup, lets the cluster go on, puts the backup back, and lets the store run past the old number. */
  async function goBack(
    name: string,
    backUp: () => Promise<void>,
    putBack: () => Promise<void>,
  ): Promise<void> {
    await node(0).influxd.query(`CREATE DATABASE "${name} before"`);
    await cluster().converged();
    await node(1).influxd.write(`${name} before`, 'm v=1 1000000000');
    const line = await incarnation();
    await backUp();
    const yesterday = await version();
    // The cluster goes on: three versions, points, and agents that were started anew since.
    for (const number of [1, 2, 3]) {
      await node(0).influxd.query(`CREATE DATABASE "${name} ${number}"`);
      await eventually(async () =>
        expect(await version()).to.be.greaterThan(yesterday + number - 1),
      );
    }
    await cluster().converged();
    await node(1).influxd.write(`${name} 1`, 'm v=1 1000000000');
    for (const each of cluster().nodes) {
      await each.restartAgent();
      await each.restartAgent();
    }
    const today = await version();
    for (const each of cluster().nodes) await each.agent.kill9();
    await putBack();
    expect(await version(), 'the backup is back').to.equal(yesterday);
    await runPast(today, name);
    for (const each of cluster().nodes) await each.startAgent();
    await cluster().converged({ withinMs: 60_000 });
    expect(await incarnation()).to.not.equal(line);
    const wanted = ['before', '1', '2', '3', 'other'].map((what) => `${name} ${what}`);
    for (const each of cluster().nodes) {
      expect(await each.influxd.names('SHOW DATABASES')).to.include.members(wanted);
      expect(await each.agent.log()).to.match(/joining the cluster anew/);
    }
    for (const database of [`${name} before`, `${name} 1`]) {
      expect(await points(node(1), database), database).to.equal(1);
    }
    const { nodes } = await manager().get<{ nodes: { alive: number } }>(
      `/clusters/${cluster().name}`,
    );
    expect(nodes.alive, 'agents that act again').to.equal(2);
  }

  /** Somebody else writes other content under the same numbers, up to above the one that the agents last saw. */
  async function runPast(today: number, name: string): Promise<void> {
    const path = `${manager().url}/clusters/${cluster().name}`;
    const newest = await fetch(`${path}/versions/0?wait=0s`);
    const body = withDatabase(new Uint8Array(await newest.arrayBuffer()), `${name} other`);
    for (let from = await version(); from <= today; from += 1) {
      const answer = await fetch(`${path}/versions/${from}`, { method: 'PUT', body });
      expect(answer.status, await answer.text()).to.equal(200);
    }
  }

  it('by a restored dump: a new incarnation, all agents join, nothing is dropped', async () => {
    const file = join(cluster().dir, 'yesterday.jsonl');
    await goBack(
      'dump',
      async () => {
        const { code, stderr } = await store('dump', file);
        expect(code, stderr).to.equal(0);
      },
      async () => {
        const refused = await store('restore', file, '--replace', '--yes');
        expect(refused.code).to.equal(5);
        expect(refused.stderr).to.match(/in use by 1 manager: .*stop them/);
        await manager().stop();
        const careful = await store('restore', file, '--yes');
        expect(careful.code).to.equal(5);
        expect(careful.stderr).to.match(/not empty: it has 1 cluster \(test\), 2 nodes/);
        const unsure = await store('restore', file, '--replace');
        expect(unsure.code).to.equal(2);
        expect(unsure.stderr).to.match(/overwriting 1 cluster \(test\).*add --yes/);
        const done = await store('restore', file, '--replace', '--yes');
        expect(done.code, done.stderr).to.equal(0);
        await manager().start();
      },
    );
  });

  it('by a copy of its files: the same', async () => {
    const copy = join(cluster().dir, 'etcd-copy');
    const [dataDir = ''] = cluster().etcd.dataDirs;
    const whileStopped = async (work: () => Promise<void>) => {
      await manager().stop();
      await cluster().etcd.kill9();
      await work();
      await cluster().etcd.restart();
      await manager().start();
    };
    await goBack(
      'files',
      () => whileStopped(() => cp(dataDir, copy, { recursive: true })),
      () =>
        whileStopped(async () => {
          await rm(dataDir, { recursive: true });
          await cp(copy, dataDir, { recursive: true });
        }),
    );
  });

  async function points(at: ClusterNode, db: string): Promise<unknown> {
    const [result] = await at.influxd.query('SELECT count("v") FROM "m"', { db });
    return result?.series?.[0]?.values?.[0]?.[1];
  }
});
