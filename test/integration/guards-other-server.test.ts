// A node whose metadata is suddenly that of another server: a foreign meta.db, a wiped data directory, a meta directory that is
// somebody else's. Nothing is dropped anywhere on its word.
import { expect } from 'chai';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';
import { startInfluxd, type TestInfluxd } from '../support/influxd.js';

describe('a node that is suddenly another server', function () {
  this.timeout(60_000);
  const cluster = useCluster({ nodes: 2 });
  const other = () => cluster().nodes[0]!;
  const node = () => cluster().nodes[1]!;
  const fileOf = (influxd: TestInfluxd) => join(influxd.metaDir, 'meta.db');
  const databases = (at: ClusterNode) => at.influxd.names('SHOW DATABASES');
  let stranger: TestInfluxd;

  before(async () => {
    stranger = await startInfluxd();
    // Enough statements and shard groups that every counter of the stranger is above the node's.
    for (let number = 0; number < 12; number += 1) {
      await stranger.query(`CREATE DATABASE "strange ${number}"`);
      await stranger.write(`strange ${number}`, 'm v=1 1000000000');
    }
    await other().influxd.query('CREATE DATABASE "ours"');
    await other().influxd.query('CREATE DATABASE "also ours"');
    await cluster().converged();
    await other().influxd.write('ours', 'm v=1 1000000000');
  });
  after(() => stranger.remove());

  async function count(at: ClusterNode, db: string): Promise<unknown> {
    const [result] = await at.influxd.query('SELECT count("v") FROM "m"', { db });
    return result?.series?.[0]?.values?.[0]?.[1];
  }

  it('by a meta.db of another server, without shards: it joins, both sides keep all they have', async () => {
    await stranger.stop();
    const good = await readFile(fileOf(node().influxd));
    await node().influxd.stop();
    await copyFile(fileOf(stranger), fileOf(node().influxd));
    await node().influxd.start();
    await cluster().converged({ withinMs: 20_000 });
    for (const each of cluster().nodes) {
      expect(await databases(each)).to.include.members([
        'ours',
        'also ours',
        'strange 0',
        'strange 11',
      ]);
    }
    expect(await count(other(), 'ours')).to.equal(1);
    // And back to its own file, from before: still nothing goes.
    await node().influxd.stop();
    await writeFile(fileOf(node().influxd), good);
    await node().influxd.start();
    await cluster().converged({ withinMs: 20_000 });
    expect(await databases(other())).to.include.members(['ours', 'also ours', 'strange 0']);
    expect(await count(other(), 'ours')).to.equal(1);
  });

  it('by a meta.db of another server beside shards of its own: nothing is created or dropped, and it says so', async () => {
    await node().influxd.write('ours', 'm v=1 1000000000');
    await cluster().converged();
    const good = await readFile(fileOf(node().influxd));
    await node().influxd.stop();
    await copyFile(fileOf(stranger), fileOf(node().influxd));
    await node().influxd.start();
    await eventually(
      async () => expect((await node().status()).sentence).to.match(/data of another time/),
      { withinMs: 15_000 },
    );
    expect(await databases(other())).to.include.members(['ours', 'also ours', 'strange 0']);
    await node().influxd.stop();
    await writeFile(fileOf(node().influxd), good);
    await node().influxd.start();
    await cluster().converged({ withinMs: 20_000 });
    expect(await count(node(), 'ours')).to.equal(1);
  });

  it('by a wiped data directory: it comes back from the cluster with all its databases, empty', async () => {
    const wanted = await databases(other());
    await node().influxd.stop();
    for (const part of ['meta', 'data', 'wal']) {
      await rm(join(node().influxd.dir, part), { recursive: true });
      await mkdir(join(node().influxd.dir, part));
    }
    await node().influxd.start();
    await cluster().converged({ withinMs: 20_000 });
    expect(await databases(node())).to.have.members(wanted);
    expect(await databases(other())).to.have.members(wanted);
    expect(await count(node(), 'ours')).to.equal(undefined);
    expect(await count(other(), 'ours')).to.equal(1);
  });

  it('by an agent that is pointed at the meta directory of another influxd: told at once, nothing is changed', async () => {
    await stranger.start();
    const before = await databases(other());
    const lost = await cluster().addNode({ withAgent: false });
    await lost.influxd.query('CREATE DATABASE "of the lost"');
    await lost.influxd.stop();
    await lost.influxd.start();
    const twisted = await cluster().addNode({
      withAgent: false,
      config: {
        influxdb: { url: lost.influxd.url, 'snapshot-address': lost.influxd.snapshotAddress },
      },
    });
    await twisted.launchAgent();
    await eventually(
      async () => {
        const { sentence } = await twisted.status();
        expect(sentence).to.match(
          /influxdb\.meta-dir and influxdb\.url are of two servers.*correct one/,
        );
      },
      { withinMs: 15_000 },
    );
    expect(await databases(other())).to.have.members(before);
    expect(await lost.influxd.names('SHOW DATABASES')).to.deep.equal(['of the lost']);
    await twisted.end();
  });
});
