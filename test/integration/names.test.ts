// Names that InfluxDB allows and that quoting, URLs or JSON may stumble over, through the whole round trip and back.
import { expect } from 'chai';
import { keyOf, type ObjectName } from '../../shared/meta/model.js';
import { readNewest } from '../support/converged.js';
import { useCluster } from '../support/cluster-suite.js';
import { ident } from '../support/influxql.js';

/** Databases and policies are directories: influxd refuses slashes and backslashes in them. */
const DIRECTORY_NAMES = [
  'with blanks',
  'say "hi"',
  "it's",
  'dot.ted.name',
  'select',
  'from',
  '🚀 rocket',
  'ünïcødé 数据库',
  'a=b,c;d',
  '100%41 %2F',
  "'; DROP DATABASE x --",
  '-- comment',
  '$1 ${x} `y`',
  '<b>&amp;<i>',
  '["json"]',
  '~!@#^*()+|{}:?',
];

/** Continuous queries, subscriptions and users take any text. */
const FREE_NAMES = [...DIRECTORY_NAMES, 'back\\slash', 'C:\\dir\\', 'a/b/../c', 'end"'];

describe('names with odd characters', function () {
  this.timeout(40_000);
  const cluster = useCluster({ name: 'Ünï/cluster 100% "x"' });

  it('go from the node that made them to all others, and their drops as well', async () => {
    await expectRoundTrip(DIRECTORY_NAMES, {
      object: (name) => ({ kind: 'database', path: [name] }),
      create: (name) => `CREATE DATABASE ${ident(name)}`,
      drop: (name) => `DROP DATABASE ${ident(name)}`,
    });
  });

  it('are kept within a database of such a name: policies', async () => {
    const home = 'ho"me . 🏠';
    await cluster().nodes[0]!.influxd.query(`CREATE DATABASE ${ident(home)}`);
    await cluster().converged();
    await expectRoundTrip(DIRECTORY_NAMES, {
      object: (name) => ({ kind: 'policy', path: [home, name] }),
      create: (name) =>
        `CREATE RETENTION POLICY ${ident(name)} ON ${ident(home)} DURATION 2d REPLICATION 1`,
      drop: (name) => `DROP RETENTION POLICY ${ident(name)} ON ${ident(home)}`,
    });
  });

  it('are kept in continuous queries, whose text names odd things too', async () => {
    const home = `que"ries' .`;
    await cluster().nodes[1]!.influxd.query(`CREATE DATABASE ${ident(home)}`);
    await cluster().converged();
    const target = (name: string) => `${ident(home)}."autogen".${ident(name)}`;
    await expectRoundTrip(FREE_NAMES, {
      object: (name) => ({ kind: 'continuous-query', path: [home, name] }),
      create: (name) =>
        `CREATE CONTINUOUS QUERY ${ident(name)} ON ${ident(home)} BEGIN SELECT mean(${ident(name)}) INTO ${target(name)} FROM ${ident(name)} WHERE "t" = 'it\\'s; "odd"' GROUP BY time(1m) END`,
      drop: (name) => `DROP CONTINUOUS QUERY ${ident(name)} ON ${ident(home)}`,
    });
  });

  it('are kept in subscriptions', async () => {
    const home = 'sub"scribed';
    await cluster().nodes[2]!.influxd.query(`CREATE DATABASE ${ident(home)}`);
    await cluster().converged();
    const at = `${ident(home)}."autogen"`;
    await expectRoundTrip(FREE_NAMES, {
      object: (name) => ({ kind: 'subscription', path: [home, 'autogen', name] }),
      create: (name) =>
        `CREATE SUBSCRIPTION ${ident(name)} ON ${at} DESTINATIONS ALL 'http://us%40er:p%3Aw@127.0.0.1:9/path?x=1'`,
      drop: (name) => `DROP SUBSCRIPTION ${ident(name)} ON ${at}`,
    });
  });

  it('are kept in users and privileges, as far as statements go', async () => {
    const { nodes } = cluster();
    const home = 'granted "x"';
    await nodes[0]!.influxd.query(`CREATE DATABASE ${ident(home)}`);
    await cluster().converged();
    // The same user on every node: a statement can't bring the hash.
    await Promise.all(
      nodes.map(async ({ influxd }) => {
        for (const name of FREE_NAMES) {
          await influxd.query(`CREATE USER ${ident(name)} WITH PASSWORD 'p\\'w "\\\\'`);
        }
      }),
    );
    await cluster().converged({ withoutHashes: true, withinMs: 20_000 });
    await Promise.all(
      FREE_NAMES.map((name, i) =>
        nodes[i % nodes.length]!.influxd.query(`GRANT WRITE ON ${ident(home)} TO ${ident(name)}`),
      ),
    );
    await cluster().converged({ withoutHashes: true, withinMs: 20_000 });
    for (const node of nodes) {
      const schema = await node.schema();
      for (const name of FREE_NAMES) {
        expect(schema.has(keyOf({ kind: 'privilege', path: [name, home] })), name).to.equal(true);
      }
    }
    await Promise.all(
      FREE_NAMES.map((name, i) =>
        nodes[i % nodes.length]!.influxd.query(`DROP USER ${ident(name)}`),
      ),
    );
    await cluster().converged({ withinMs: 20_000 });
  });

  interface Kind {
    readonly object: (name: string) => ObjectName;
    readonly create: (name: string) => string;
    readonly drop: (name: string) => string;
  }

  /** Name k is made on node k mod 3 and dropped on the next one. */
  async function expectRoundTrip(names: readonly string[], kind: Kind): Promise<void> {
    const { nodes, managers, name: clusterName } = cluster();
    const at = (k: number) => nodes[k % nodes.length]!.influxd;
    await Promise.all(names.map((name, k) => at(k).query(kind.create(name))));
    await cluster().converged({ withinMs: 20_000 });
    const { schema } = await readNewest(managers[0]!.url, clusterName);
    for (const name of names) expect(schema.has(keyOf(kind.object(name))), name).to.equal(true);
    await Promise.all(names.map((name, k) => at(k + 1).query(kind.drop(name))));
    await cluster().converged({ withinMs: 20_000 });
    const after = (await readNewest(managers[0]!.url, clusterName)).schema;
    for (const name of names) expect(after.has(keyOf(kind.object(name))), name).to.equal(false);
  }
});
