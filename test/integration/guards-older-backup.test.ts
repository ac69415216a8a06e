// An older meta.db that was used for an hour while the agent was away: by then its Index and highest ids are above what was last
// seen. Only the places of its shards, and the shards that are loaded, tell that it is no later state.
import { expect } from 'chai';
import { copyFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import { lineageOf, type Lineage } from '../../shared/meta/lineage.js';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';

const HOUR_S = 3_600;

describe('an older backup of meta.db, used for an hour', function () {
  this.timeout(60_000);
  const cluster = useCluster({ nodes: 2 });
  const other = () => cluster().nodes[0]!;
  const node = () => cluster().nodes[1]!;

  const fileOf = ({ influxd }: ClusterNode) => join(influxd.metaDir, 'meta.db');
  const lineage = async (): Promise<Lineage> =>
    lineageOf(decodeSnapshot(await readFile(fileOf(node()))));

  /** Writes a point into a shard group of its own. */
  const point = (database: string, weeksAgo: number, at = node()) =>
    at.influxd.write(database, `m v=1 ${1_000_000_000 - weeksAgo * 7 * 24 * HOUR_S}000000000`);

  /** Statements that change nothing raise Index all the same. */
  async function useForAnHour(): Promise<void> {
    for (let left = 12; left > 0; left -= 1) {
      await node().influxd.query('ALTER RETENTION POLICY "autogen" ON "old" DURATION INF');
    }
    for (let week = 10; week < 14; week += 1) await point('old', week);
  }

  async function putBack(older: string): Promise<{ before: Lineage; after: Lineage }> {
    const before = await lineage();
    await node().agent.kill9();
    await node().influxd.stop();
    await copyFile(older, fileOf(node()));
    await node().influxd.start();
    await useForAnHour();
    const after = await lineage();
    // What a look at counters alone would take for a later state of the same server.
    expect(after).to.include({ clusterId: before.clusterId, term: before.term });
    for (const counter of ['index', 'maxShardGroupId', 'maxShardId'] as const) {
      expect(Number(after[counter]), counter).to.be.greaterThan(Number(before[counter]));
    }
    return { before, after };
  }

  async function settled(words: RegExp): Promise<void> {
    await eventually(
      async () => {
        const { sentence, pending, held } = await node().status();
        expect(JSON.stringify([sentence, pending, held])).to.match(words);
      },
      { withinMs: 15_000 },
    );
  }

  async function count(at: ClusterNode, db: string): Promise<unknown> {
    const [result] = await at.influxd.query('SELECT count("v") FROM "m"', { db });
    return result?.series?.[0]?.values?.[0]?.[1];
  }

  it('drops nothing on the other server, and says that data of another time lies there', async () => {
    await other().influxd.query('CREATE DATABASE "old"');
    await cluster().converged();
    await point('old', 0);
    const older = join(cluster().dir, 'older.db');
    await cluster().converged();
    await copyFile(fileOf(node()), older);
    // What the backup knows nothing of: a database with points on both servers, and a policy of the old one.
    await other().influxd.query('CREATE DATABASE "new"');
    await other().influxd.query(
      'CREATE RETENTION POLICY "long" ON "old" DURATION INF REPLICATION 1',
    );
    await cluster().converged();
    for (const week of [1, 2]) await point('new', week);
    await point('new', 1, other());
    await cluster().converged();
    await putBack(older);
    await node().launchAgent();
    await settled(/data of another time/);
    // Also with a second look, and with a change from elsewhere that wakes it.
    await other().influxd.query('CREATE DATABASE "while blocked"');
    await cluster().converged({ nodes: [other()] });
    await settled(/data of another time/);
    expect(await other().influxd.names('SHOW DATABASES')).to.include.members(['old', 'new']);
    expect(await other().influxd.names('SHOW RETENTION POLICIES ON "old"')).to.include('long');
    expect(await count(other(), 'new')).to.equal(1);
    expect(await node().influxd.names('SHOW DATABASES')).to.not.include('while blocked');
  });

  it('with the old shards moved away joins by union: what was missing comes back, what is new is shared', async () => {
    await node().agent.kill9();
    await node().influxd.stop();
    // What the operator's manual says for points that are not wanted.
    for (const part of ['data', 'wal']) {
      await rm(join(node().influxd.dir, part, 'new'), { recursive: true, force: true });
    }
    await node().influxd.start();
    await node().influxd.query('CREATE DATABASE "of the hour"');
    await node().launchAgent();
    await cluster().converged({ withinMs: 20_000 });
    for (const each of cluster().nodes) {
      expect(await each.influxd.names('SHOW DATABASES')).to.include.members([
        ...['old', 'new', 'of the hour', 'while blocked'],
      ]);
    }
    expect(await other().influxd.names('SHOW RETENTION POLICIES ON "old"')).to.include('long');
    expect(await count(other(), 'new')).to.equal(1);
    // Two of the five points of that hour influxd had written into the directories of the old shards.
    expect(await count(node(), 'old')).to.equal(3);
  });
});
