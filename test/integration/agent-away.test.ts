// Agents that were away, or died in the middle: afterwards every node has what was done on each, drops included.
import { expect } from 'chai';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';

/** They keep what is dropped here few of many: half of all would be held for a person. */
const IDLE = Array.from({ length: 30 }, (_, index) => `idle ${index}`);

describe('an agent that is away', function () {
  this.timeout(60_000);
  const cluster = useCluster({ store: 'etcd', config: { guard: { 'max-drops': 1_000 } } });

  it('catches up with what was done on its node and on the others, drops included', async () => {
    const { nodes } = cluster();
    const [one, two] = nodes;
    for (const name of ['dropped here', 'dropped there', 'altered', ...IDLE]) {
      await one!.influxd.query(`CREATE DATABASE "${name}"`);
    }
    await cluster().converged();
    // With points: a drop is believed only where the shards are gone too.
    await Promise.all(nodes.map(({ influxd }) => influxd.write('dropped here', 'm v=1')));
    await Promise.all(nodes.map(({ influxd }) => influxd.write('dropped there', 'm v=1')));
    await eventually(async () => {
      for (const node of nodes) expect((await node.status())['in-step']).to.equal(true);
    });
    await one!.agent.stop();
    await one!.influxd.query('DROP DATABASE "dropped here"');
    await one!.influxd.query('CREATE DATABASE "made here"');
    await one!.influxd.query('ALTER RETENTION POLICY "autogen" ON "altered" DURATION 10d');
    await two!.influxd.query('DROP DATABASE "dropped there"');
    await two!.influxd.query('CREATE DATABASE "made there"');
    await two!.influxd.query('ALTER RETENTION POLICY "autogen" ON "altered" REPLICATION 3');
    await cluster().converged({ nodes: nodes.slice(1) });
    await one!.startAgent();
    await cluster().converged();
    for (const { influxd } of nodes) {
      const names = await influxd.names('SHOW DATABASES');
      expect(names).to.have.members(['altered', 'made here', 'made there', ...IDLE]);
      const [policies] = await influxd.query('SHOW RETENTION POLICIES ON "altered"');
      expect(policies?.series?.[0]?.values?.[0]).to.deep.equal([
        'autogen',
        '240h0m0s',
        '168h0m0s',
        3,
        true,
      ]);
    }
  });

  it('dies by kill -9 again and again while changes flow, and all end equal', async () => {
    const { nodes } = cluster();
    const wanted: string[] = [];
    const changes = nodes.map(async ({ influxd }, i) => {
      for (let k = 0; k < 8; k += 1) {
        await influxd.query(`CREATE DATABASE "kill ${i}.${k}"`);
        await influxd.query(
          `CREATE RETENTION POLICY "p" ON "kill ${i}.${k}" DURATION 1d REPLICATION 1 DEFAULT`,
        );
        if (k % 2 === 0) await influxd.query(`DROP DATABASE "kill ${i}.${k}"`);
        else wanted.push(`kill ${i}.${k}`);
      }
    });
    const deaths = nodes.map(async (node) => {
      for (let k = 0; k < 3; k += 1) {
        await node.agent.kill9();
        // Not waited for: the next kill may come in the middle of its start.
        await node.launchAgent();
        await eventually(() => node.status(), { withinMs: 15_000 });
      }
    });
    await Promise.all([...changes, ...deaths]);
    await cluster().converged({ withinMs: 25_000 });
    const names = await nodes[0]!.influxd.names('SHOW DATABASES');
    expect(names.filter((name) => name.startsWith('kill'))).to.have.members(wanted);
  });

  it('finds a manager that dies by kill -9 while changes flow, and all end equal', async () => {
    const { nodes, managers } = cluster();
    const changes = nodes.map(async ({ influxd }, i) => {
      for (let k = 0; k < 8; k += 1) await influxd.query(`CREATE DATABASE "manager ${i}.${k}"`);
    });
    const deaths = (async () => {
      for (let k = 0; k < 2; k += 1) {
        await managers[0]!.kill9();
        await managers[0]!.start();
      }
    })();
    await Promise.all([...changes, deaths]);
    await cluster().converged({ withinMs: 25_000 });
    const names = await nodes[2]!.influxd.names('SHOW DATABASES');
    expect(names.filter((name) => name.startsWith('manager'))).to.have.lengthOf(24);
  });
});

describe('the embedded store under a manager that dies by kill -9', function () {
  this.timeout(40_000);
  const cluster = useCluster({ nodes: 2 });

  it('keeps every accepted version', async () => {
    const { nodes, managers } = cluster();
    const changes = nodes.map(async ({ influxd }, i) => {
      for (let k = 0; k < 10; k += 1) await influxd.query(`CREATE DATABASE "kept ${i}.${k}"`);
    });
    for (let k = 0; k < 2; k += 1) {
      await managers[0]!.kill9();
      await managers[0]!.start();
    }
    await Promise.all(changes);
    await cluster().converged({ withinMs: 20_000 });
    expect(await nodes[0]!.influxd.names('SHOW DATABASES')).to.have.lengthOf(20);
  });
});
