// Each kind of metadata is created, altered and dropped on each of three nodes, and arrives on the other two as it was made.
import { expect } from 'chai';
import { keyOf, type ObjectName, type SchemaObject } from '../../shared/meta/model.js';
import type { TestCluster } from '../support/cluster.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';

const HOUR_NS = 3_600_000_000_000n;
const DAY_NS = 24n * HOUR_NS;

/** One step in the life of the object number `i`; each step is run on another node than the one before. */
interface Step {
  readonly run: (i: number) => readonly string[];
  readonly object: (i: number) => ObjectName;
  /** What the object is afterwards (fields that are not named may be anything); undefined where it is gone. */
  readonly leaves: ((i: number) => object) | undefined;
}

describe('a change of metadata on any node', function () {
  this.timeout(40_000);
  const cluster = useCluster({ store: 'etcd' });

  before(async () => {
    await cluster().nodes[0]!.influxd.query('CREATE DATABASE "base"');
    await cluster().converged();
  });

  const policy = (i: number): ObjectName => ({ kind: 'policy', path: ['base', `policy ${i}`] });
  const query = (i: number): ObjectName => ({
    kind: 'continuous-query',
    path: ['base', `query ${i}`],
  });
  const subscription = (i: number): ObjectName => ({
    kind: 'subscription',
    path: ['base', 'autogen', `subscription ${i}`],
  });
  const database = (i: number): ObjectName => ({ kind: 'database', path: [`database ${i}`] });
  const firstPolicy = (i: number): ObjectName => ({
    kind: 'policy',
    path: [`database ${i}`, 'first'],
  });

  it('brings databases and their first policies, and takes them away', async () => {
    await live([
      {
        run: (i) => [
          `CREATE DATABASE "database ${i}" WITH DURATION 3d REPLICATION 1 SHARD DURATION 2h NAME "first"`,
        ],
        object: firstPolicy,
        leaves: () => ({ durationNs: 3n * DAY_NS, shardDurationNs: 2n * HOUR_NS }),
      },
      {
        run: (i) => [
          `CREATE RETENTION POLICY "second" ON "database ${i}" DURATION 0s REPLICATION 1 DEFAULT`,
        ],
        object: database,
        leaves: () => ({ defaultPolicy: 'second' }),
      },
      {
        run: (i) => [`ALTER RETENTION POLICY "first" ON "database ${i}" DEFAULT`],
        object: database,
        leaves: () => ({ defaultPolicy: 'first' }),
      },
      { run: (i) => [`DROP DATABASE "database ${i}"`], object: database, leaves: undefined },
    ]);
  });

  it('brings retention policies with all their fields, their changes and their drops', async () => {
    await live([
      {
        run: (i) => [
          `CREATE RETENTION POLICY "policy ${i}" ON "base" DURATION 30d REPLICATION 1 SHARD DURATION 1d`,
        ],
        object: policy,
        leaves: () => ({ durationNs: 30n * DAY_NS, shardDurationNs: DAY_NS, replication: 1 }),
      },
      {
        run: (i) => [
          `ALTER RETENTION POLICY "policy ${i}" ON "base" DURATION 60d REPLICATION 2 SHARD DURATION 2d`,
        ],
        object: policy,
        leaves: () => ({ durationNs: 60n * DAY_NS, shardDurationNs: 2n * DAY_NS, replication: 2 }),
      },
      {
        run: (i) => [`DROP RETENTION POLICY "policy ${i}" ON "base"`],
        object: policy,
        leaves: undefined,
      },
    ]);
  });

  it('brings continuous queries, another text for the same name, and their drops', async () => {
    const create = (i: number, every: string) =>
      `CREATE CONTINUOUS QUERY "query ${i}" ON "base" BEGIN SELECT mean("v") AS "v" INTO "base"."autogen"."m ${i}" FROM "m" GROUP BY time(${every}), * END`;
    await live([
      { run: (i) => [create(i, '1m')], object: query, leaves: () => ({}) },
      {
        run: (i) => [`DROP CONTINUOUS QUERY "query ${i}" ON "base"`, create(i, '5m')],
        object: query,
        leaves: (i) => ({
          query: `CREATE CONTINUOUS QUERY "query ${i}" ON base BEGIN SELECT mean(v) AS v INTO base.autogen."m ${i}" FROM base.autogen.m GROUP BY time(5m), * END`,
        }),
      },
      {
        run: (i) => [`DROP CONTINUOUS QUERY "query ${i}" ON "base"`],
        object: query,
        leaves: undefined,
      },
    ]);
  });

  it('brings subscriptions, other destinations for the same name, and their drops', async () => {
    const create = (i: number, rest: string) =>
      `CREATE SUBSCRIPTION "subscription ${i}" ON "base"."autogen" DESTINATIONS ${rest}`;
    const drop = (i: number) => `DROP SUBSCRIPTION "subscription ${i}" ON "base"."autogen"`;
    await live([
      {
        run: (i) => [create(i, `ANY 'http://127.0.0.1:9', 'udp://127.0.0.1:10'`)],
        object: subscription,
        leaves: () => ({ mode: 'ANY', destinations: ['http://127.0.0.1:9', 'udp://127.0.0.1:10'] }),
      },
      {
        run: (i) => [drop(i), create(i, `ALL 'udp://127.0.0.1:11'`)],
        object: subscription,
        leaves: () => ({ mode: 'ALL', destinations: ['udp://127.0.0.1:11'] }),
      },
      { run: (i) => [drop(i)], object: subscription, leaves: undefined },
    ]);
  });

  it('keeps a re-created database apart from the one before, points included', async () => {
    const [one, two] = cluster().nodes;
    await one!.influxd.query('CREATE DATABASE "again"');
    await cluster().converged();
    await two!.influxd.write('again', 'old v=1 1000000000');
    await one!.influxd.write('again', 'old v=1 1000000000');
    // Shared by a look that came after the points: so the agent knows the shards that the next drop takes along.
    await one!.influxd.query('CREATE DATABASE "looked at"');
    await cluster().converged();
    await one!.influxd.query('DROP DATABASE "again"');
    await one!.influxd.query('CREATE DATABASE "again"');
    await cluster().converged();
    await untilEmpty(cluster(), 'again');
    await cluster().converged();
    await one!.influxd.query('DROP DATABASE "again"');
    await cluster().converged();
  });

  it('keeps the monitoring database of a node to itself', async () => {
    const node = cluster().nodes[1]!;
    await node.influxd.query('CREATE DATABASE "_internal"');
    await node.influxd.query('CREATE DATABASE "shared"');
    await cluster().converged();
    expect(await cluster().nodes[0]!.influxd.names('SHOW DATABASES')).to.include('shared');
    expect(await cluster().nodes[0]!.influxd.names('SHOW DATABASES')).to.not.include('_internal');
    await node.influxd.query('DROP DATABASE "shared"');
    await cluster().converged();
    expect(await node.influxd.names('SHOW DATABASES')).to.include('_internal');
  });

  /** Step p of object i is run on node (i + p) mod 3, all objects at once; after each step all nodes have what it left. */
  async function live(steps: readonly Step[]): Promise<void> {
    const { nodes } = cluster();
    for (const [p, { run, object, leaves }] of steps.entries()) {
      await Promise.all(
        nodes.map(async (_, i) => {
          const { influxd } = nodes[(i + p) % nodes.length]!;
          for (const statement of run(i)) await influxd.query(statement);
        }),
      );
      await cluster().converged();
      for (const node of nodes) {
        const schema = await node.schema();
        for (const i of nodes.keys()) {
          const found: SchemaObject | undefined = schema.get(keyOf(object(i)));
          const what = `${JSON.stringify(object(i).path)} on ${node.name} after step ${p}`;
          if (leaves === undefined) expect(found, what).to.equal(undefined);
          else expect(found?.value, what).to.deep.include(leaves(i));
        }
      }
    }
  }
});

/** By name the old and the new database are the same: that the drop has arrived shows in the points alone. */
async function untilEmpty(cluster: TestCluster, database: string): Promise<void> {
  await eventually(async () => {
    for (const { influxd } of cluster.nodes) {
      const [result] = await influxd.query('SELECT count("v") FROM "old"', { db: database });
      expect(result?.series ?? [], `points of the dropped ${database}`).to.deep.equal([]);
    }
  });
}
