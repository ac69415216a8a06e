// Changes on all nodes at once: nobody waits for anybody, and all end equal with everything in it.
import { expect } from 'chai';
import { keyOf } from '../../shared/meta/model.js';
import { useCluster } from '../support/cluster-suite.js';

const CHANGES = 10;

const numbers = Array.from({ length: CHANGES }, (_, k) => k);

describe('changes on three nodes at once', function () {
  this.timeout(60_000);
  const cluster = useCluster({ store: 'etcd' });

  it('all arrive everywhere, ten on each node', async () => {
    const { nodes } = cluster();
    await Promise.all(
      nodes.map(async ({ influxd }, i) => {
        for (const k of numbers) await influxd.query(`CREATE DATABASE "db ${i}.${k}"`);
      }),
    );
    await cluster().converged({ withinMs: 30_000 });
    const wanted = nodes.flatMap((_, i) => numbers.map((k) => `db ${i}.${k}`)).sort();
    for (const { influxd } of nodes) {
      expect((await influxd.names('SHOW DATABASES')).sort()).to.deep.equal(wanted);
    }
  });

  it('end equal where all nodes change the same objects, and nothing that nobody dropped is lost', async () => {
    const { nodes } = cluster();
    await nodes[0]!.influxd.query('CREATE DATABASE "contested"');
    await cluster().converged();
    await Promise.all(
      nodes.map(async ({ influxd }, i) => {
        await influxd.query(
          `CREATE RETENTION POLICY "same" ON "contested" DURATION ${(i + 1) * 24}h REPLICATION 1`,
        );
        await influxd.query(`CREATE DATABASE "twin"`);
        await influxd.query(`ALTER RETENTION POLICY "autogen" ON "contested" DURATION ${i + 100}d`);
        await influxd.query(
          `CREATE RETENTION POLICY "own ${i}" ON "contested" DURATION 1d REPLICATION 1`,
        );
      }),
    );
    await cluster().converged({ withinMs: 20_000 });
    const schema = await nodes[0]!.schema();
    for (const policy of ['autogen', 'same', 'own 0', 'own 1', 'own 2']) {
      expect(schema.has(keyOf({ kind: 'policy', path: ['contested', policy] })), policy).to.equal(
        true,
      );
    }
    expect(schema.has(keyOf({ kind: 'database', path: ['twin'] }))).to.equal(true);
  });

  it('end equal where one node drops what the others change', async () => {
    const { nodes } = cluster();
    await nodes[0]!.influxd.query('CREATE DATABASE "half"');
    for (const k of numbers) {
      await nodes[0]!.influxd.query(
        `CREATE RETENTION POLICY "p${k}" ON "half" DURATION 1d REPLICATION 1`,
      );
    }
    await cluster().converged({ withinMs: 20_000 });
    // A statement may come too late for a policy that is gone by then: influxd says so, and that is its right.
    const mayBeGone = (error: unknown) => {
      expect(String(error)).to.match(/not found/);
    };
    await Promise.all([
      ...numbers.map((k) => nodes[0]!.influxd.query(`DROP RETENTION POLICY "p${k}" ON "half"`)),
      ...numbers.map((k) =>
        nodes[1]!.influxd
          .query(`ALTER RETENTION POLICY "p${k}" ON "half" DURATION ${k + 30}d`)
          .catch(mayBeGone),
      ),
      nodes[2]!.influxd.query(
        'CREATE RETENTION POLICY "stays" ON "half" DURATION 1d REPLICATION 1',
      ),
    ]);
    await cluster().converged({ withinMs: 20_000 });
    const names = await nodes[2]!.influxd.names('SHOW RETENTION POLICIES ON "half"');
    expect(names).to.have.members(['autogen', 'stays']);
  });
});
