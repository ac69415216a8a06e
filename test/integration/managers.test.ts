// Managers and etcd go and come back while agents wait: nothing is lost, and what was done meanwhile arrives afterwards.
import { expect } from 'chai';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';

describe('two managers over one etcd, with the agents split between them', function () {
  this.timeout(40_000);
  const cluster = useCluster({
    store: 'etcd',
    managers: 2,
    endpoints: (node, managers) => [managers[node % managers.length]!],
  });

  it('bring a change through one manager to an agent of the other', async () => {
    const [one, two] = cluster().nodes;
    await one!.influxd.query('CREATE DATABASE "through the first"');
    await two!.influxd.query('CREATE DATABASE "through the second"');
    await cluster().converged();
    const names = await cluster().nodes[2]!.influxd.names('SHOW DATABASES');
    expect(names).to.include.members(['through the first', 'through the second']);
  });

  it('list all nodes and both managers, whichever is asked', async () => {
    const lists = await eventually(async () => {
      const both = await Promise.all(
        cluster().managers.map((manager) =>
          manager.get<{ cflux: { alive: boolean }[]; influx: { id: number; alive: boolean }[] }>(
            '/nodes',
          ),
        ),
      );
      for (const { cflux, influx } of both) {
        expect(cflux.filter(({ alive }) => alive)).to.have.lengthOf(2);
        expect(influx.filter(({ alive }) => alive)).to.have.lengthOf(3);
      }
      return both;
    });
    const ids = lists.map(({ influx }) => influx.map(({ id }) => id).sort());
    expect(ids[0]).to.deep.equal(ids[1]);
  });

  it('a change made while one manager is dead arrives once it is back', async () => {
    const [first, second] = cluster().managers;
    await second!.kill9();
    await cluster().nodes[0]!.influxd.query('CREATE DATABASE "while one is dead"');
    await cluster().nodes[1]!.influxd.query('CREATE DATABASE "cut off"');
    await cluster().converged({ nodes: [cluster().nodes[2]!], except: ['user'] });
    await second!.start();
    await cluster().converged();
    const names = await cluster().nodes[0]!.influxd.names('SHOW DATABASES');
    expect(names).to.include.members(['while one is dead', 'cut off']);
    expect(first!.pid).to.be.a('number');
  });

  it('a manager that is restarted while agents wait at it loses no change', async () => {
    const { managers, nodes } = cluster();
    const restarting = Promise.all(managers.map((manager) => manager.restart()));
    await Promise.all(
      nodes.map(({ influxd }, i) => influxd.query(`CREATE DATABASE "mid poll ${i}"`)),
    );
    await restarting;
    await cluster().converged();
    expect(await nodes[0]!.influxd.names('SHOW DATABASES')).to.include.members([
      'mid poll 0',
      'mid poll 1',
      'mid poll 2',
    ]);
  });

  it('a manager that hangs is left, and its agents catch up when it goes on', async () => {
    const { managers, nodes } = cluster();
    managers[0]!.pause();
    try {
      await nodes[0]!.influxd.query('CREATE DATABASE "beside a hanging manager"');
      await nodes[1]!.influxd.query('CREATE DATABASE "meanwhile"');
    } finally {
      managers[0]!.resume();
    }
    await cluster().converged({ withinMs: 15_000 });
  });

  it('etcd is restarted while changes flow, and none is lost', async () => {
    const { nodes, etcd } = cluster();
    const restarting = etcd.restart();
    await Promise.all(
      nodes.map(async ({ influxd }, i) => {
        for (const k of [0, 1, 2, 3]) await influxd.query(`CREATE DATABASE "etcd ${i}.${k}"`);
      }),
    );
    await restarting;
    await cluster().converged({ withinMs: 20_000 });
    const names = await nodes[0]!.influxd.names('SHOW DATABASES');
    for (const i of [0, 1, 2]) {
      for (const k of [0, 1, 2, 3]) expect(names).to.include(`etcd ${i}.${k}`);
    }
  });
});

describe('an agent that knows both managers', function () {
  this.timeout(40_000);
  const cluster = useCluster({ store: 'etcd', managers: 2, nodes: 2 });

  it('goes on with the other when one is killed', async () => {
    await cluster().managers[0]!.kill9();
    const [one, two] = cluster().nodes;
    await one!.influxd.query('CREATE DATABASE "other manager"');
    await cluster().converged({ withinMs: 15_000 });
    expect(await two!.influxd.names('SHOW DATABASES')).to.include('other manager');
    await cluster().managers[0]!.start();
    await cluster().managers[1]!.kill9();
    await two!.influxd.query('CREATE DATABASE "back again"');
    await cluster().converged({ withinMs: 15_000 });
    expect(await one!.influxd.names('SHOW DATABASES')).to.include('back again');
  });
});
