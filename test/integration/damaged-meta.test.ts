// Whatever happens to a node's meta.db, nothing is dropped anywhere on its word; its agent lives, and says what it sees.
import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { readNewest } from '../support/converged.js';
import { eventually } from '../support/eventually.js';

const OF_ALL = ['first', 'second'];

describe('a damaged meta.db', function () {
  this.timeout(40_000);
  const cluster = useCluster();
  /** Has points in two databases, each with a shard of its own. */
  const full = () => cluster().nodes[2]!;
  /** Has no shards at all. */
  const bare = () => cluster().nodes[1]!;
  const fileOf = (node: ClusterNode) => join(node.influxd.metaDir, 'meta.db');

  before(async () => {
    for (const name of OF_ALL) await cluster().nodes[0]!.influxd.query(`CREATE DATABASE "${name}"`);
    await cluster().converged();
    await full().influxd.write('first', 'one v=1 1000000000');
    await full().influxd.write('second', ['two v=1 1000000000', 'two v=2 2000000000']);
    await cluster().converged();
  });

  const damages: Record<string, (good: Buffer) => Buffer> = {
    'that is empty': () => Buffer.alloc(0),
    'that is cut off': (good) => good.subarray(0, Math.floor(good.length * 0.6)),
    'that is something else': () => randomBytes(300),
  };
  for (const [what, damage] of Object.entries(damages)) {
    it(`${what} stops its influxd and changes nothing; the agent lives through it, also through a restart`, async () => {
      const node = full();
      const before = await newest();
      await node.influxd.stop();
      const good = await readFile(fileOf(node));
      await writeFile(fileOf(node), damage(good));
      await node.influxd.start().then(
        () => expect.fail('influxd started with a damaged file'),
        () => undefined, // It says why in its log, and exits.
      );
      await node.agent.stop();
      await node.launchAgent();
      await saysNotInStep(node, /influxd/);
      await expectNothingDropped(before);
      await writeFile(fileOf(node), good);
      await node.influxd.start();
      await cluster().converged();
      expect(await newest()).to.equal(before);
      await expectPoints(node);
    });
  }

  it('that is missing on a server without shards comes back from the cluster', async () => {
    const before = await newest();
    await bare().influxd.stop();
    await rm(fileOf(bare()));
    await bare().influxd.start();
    await cluster().converged();
    expect(await bare().influxd.names('SHOW DATABASES')).to.have.members(OF_ALL);
    expect(await newest()).to.equal(before);
  });

  it('that is missing beside old shards: nothing is created or dropped there, and no point is lost or moved', async () => {
    const node = full();
    await withOtherFile(
      node,
      async (file) => rm(file),
      async () => {
        await saysNotInStep(node, /data of another time/);
        // What others do now must not reach it: its next shard would lie in an old one's directory.
        await cluster().nodes[0]!.influxd.query('CREATE DATABASE "third"');
        await cluster().converged({ nodes: cluster().nodes.slice(0, 2) });
        await saysNotInStep(node, /data of another time/);
        expect(await node.influxd.names('SHOW DATABASES')).to.deep.equal([]);
      },
    );
    await cluster().nodes[0]!.influxd.query('DROP DATABASE "third"');
    await cluster().converged();
  });

  it('that is a copy of another node: nothing is dropped anywhere, and the agent says what it sees', async () => {
    const node = full();
    await withOtherFile(
      node,
      (file) => copyFile(fileOf(cluster().nodes[0]!), file),
      () => saysNotInStep(node, /data of another time/),
    );
  });

  it('that is older, from before a database with points was made, drops nothing', async () => {
    const node = full();
    const older = join(cluster().dir, 'older.db');
    await copyFile(fileOf(node), older);
    await node.influxd.query('CREATE DATABASE "newer"');
    await node.influxd.write('newer', 'm v=1');
    await cluster().converged();
    await withOtherFile(
      node,
      (file) => copyFile(older, file),
      async () => {
        await saysNotInStep(node, /data of another time/);
        expect(await cluster().nodes[0]!.influxd.names('SHOW DATABASES')).to.include('newer');
      },
    );
  });

  it('that is older brings back nothing that was dropped since, and holds it for a person', async () => {
    const node = bare();
    await node.influxd.query('CREATE DATABASE "dropped since"');
    await cluster().converged();
    const older = join(cluster().dir, 'dropped.db');
    await copyFile(fileOf(node), older);
    await node.influxd.query('DROP DATABASE "dropped since"');
    await cluster().converged();
    await node.influxd.stop();
    await copyFile(older, fileOf(node));
    await node.influxd.start();
    await eventually(async () => {
      const { held } = await node.status();
      expect(held.map(({ object }) => object)).to.include('database dropped since');
    });
    await cluster().converged({ nodes: [cluster().nodes[0]!, full()] });
    const names = await cluster().nodes[0]!.influxd.names('SHOW DATABASES');
    expect(names).to.include.members(OF_ALL).and.not.include('dropped since');
    await node.influxd.query('DROP DATABASE "dropped since"');
    await cluster().converged();
  });

  /** Puts another file in the place of a node's, with a restart; afterwards the good one again, and all is as before. */
  async function withOtherFile(
    node: ClusterNode,
    replace: (file: string) => Promise<void>,
    look: () => Promise<unknown>,
  ): Promise<void> {
    await node.influxd.stop();
    const good = await readFile(fileOf(node));
    await replace(fileOf(node));
    await node.influxd.start();
    try {
      await look();
      await expectNothingDropped(await newest());
      // Also a fresh agent on the same state directory sees it so.
      await node.agent.kill9();
      await node.launchAgent();
      await look();
    } finally {
      await node.influxd.stop();
      await writeFile(fileOf(node), good);
      await node.influxd.start();
    }
    await cluster().converged();
    await expectPoints(node);
  }

  async function newest(): Promise<number> {
    return (await readNewest(cluster().managers[0]!.url, cluster().name)).version;
  }

  async function expectNothingDropped(version: number): Promise<void> {
    expect(await newest()).to.equal(version);
    for (const other of cluster().nodes.slice(0, 2)) {
      expect(await other.influxd.names('SHOW DATABASES')).to.include.members(OF_ALL);
    }
  }

  async function saysNotInStep(node: ClusterNode, words: RegExp): Promise<void> {
    await eventually(
      async () => {
        const status = await node.status();
        expect(status['in-step']).to.equal(false);
        expect(status.sentence).to.match(words);
      },
      { withinMs: 10_000 },
    );
  }

  async function expectPoints(node: ClusterNode): Promise<void> {
    const rows = async (db: string) => {
      const [result] = await node.influxd.query('SELECT * FROM /.*/', { db });
      return (result?.series ?? []).map(({ name, values }) => [name, values?.length]);
    };
    expect(await rows('first')).to.deep.equal([['one', 1]]);
    expect(await rows('second')).to.deep.equal([['two', 2]]);
  }
});
