// The store is lost and made anew, or the managers an agent is given belong to two stores: nothing is dropped anywhere, and
// nothing is changed on the word of one of two strangers.
import { expect } from 'chai';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';

describe('a store that was lost and made anew', function () {
  this.timeout(60_000);
  const cluster = useCluster({ nodes: 2 });

  it('is filled again by the nodes, which register again; nothing is dropped', async () => {
    const [manager] = cluster().managers;
    const [one, two] = cluster().nodes;
    await one!.influxd.query('CREATE DATABASE "before"');
    await cluster().converged();
    await two!.influxd.write('before', 'm v=1 1000000000');
    const before = await manager!.get<{ incarnation: string }>(`/clusters/${cluster().name}`);
    await manager!.kill9();
    await rm(join(cluster().dir, 'data', manager!.name), { recursive: true });
    await one!.influxd.query('CREATE DATABASE "meanwhile"');
    await manager!.start();
    await cluster().converged({ withinMs: 30_000 });
    // The next heartbeat finds that nobody knows the node any more.
    const after = await eventually(
      async () => {
        const now = await manager!.get<{ incarnation: string; nodes: { alive: number } }>(
          `/clusters/${cluster().name}`,
        );
        expect(now.nodes.alive).to.equal(2);
        return now;
      },
      { withinMs: 20_000 },
    );
    expect(after.incarnation).to.not.equal(before.incarnation);
    for (const { influxd } of cluster().nodes) {
      expect(await influxd.names('SHOW DATABASES')).to.include.members(['before', 'meanwhile']);
    }
    const [points] = await two!.influxd.query('SELECT count("v") FROM "m"', { db: 'before' });
    expect(points?.series?.[0]?.values?.[0]?.[1], 'the points').to.equal(1);
  });
});

describe('managers of two stores', function () {
  this.timeout(90_000);
  const clusters: TestCluster[] = [];
  before('start two clusters of one name', async () => {
    clusters.push(await startCluster({ nodes: 1 }), await startCluster({ nodes: 1 }));
  });
  after(() => Promise.all(clusters.map((cluster) => cluster.stop())));

  it('are noticed by an agent that is given both, which changes nothing and names them', async () => {
    const [here, there] = clusters as [TestCluster, TestCluster];
    await here.nodes[0]!.influxd.query('CREATE DATABASE "of the first"');
    await there.nodes[0]!.influxd.query('CREATE DATABASE "of the second"');
    await Promise.all(clusters.map((cluster) => cluster.converged()));
    const urls = [here.managers[0]!.url, there.managers[0]!.url];
    const node = await here.addNode({
      endpoints: urls,
      config: { agent: { 'resync-interval': '1s' } },
    });
    const status = await eventually(
      async () => {
        const now = await node.status();
        expect(now.sentence).to.match(/the managers do not belong together/);
        return now;
      },
      { withinMs: 20_000 },
    );
    for (const url of urls) expect(status.sentence).to.include(url);
    const names = await node.influxd.names('SHOW DATABASES');
    expect(names.includes('of the first') && names.includes('of the second')).to.equal(false);
    expect(await here.nodes[0]!.influxd.names('SHOW DATABASES')).to.not.include('of the second');
    expect(await there.nodes[0]!.influxd.names('SHOW DATABASES')).to.not.include('of the first');
  });
});
