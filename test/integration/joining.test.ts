// Nodes that come to a cluster late, with databases of their own, with an influxd that starts after its agent, or again.
import { expect } from 'chai';
import { rm } from 'node:fs/promises';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';

describe('a node that joins', function () {
  this.timeout(40_000);
  const cluster = useCluster({ nodes: 2 });

  before(async () => {
    await cluster().nodes[0]!.influxd.query('CREATE DATABASE "ours"');
    await cluster().nodes[0]!.influxd.query(
      'CREATE DATABASE "both" WITH DURATION 10d REPLICATION 1 NAME "autogen"',
    );
    await cluster().converged();
  });

  it('brings its own databases and gets the others; of two durations the longer one stays', async () => {
    const node = await cluster().addNode({ withAgent: false });
    await node.influxd.query('CREATE DATABASE "theirs"');
    await node.influxd.query(
      'CREATE DATABASE "both" WITH DURATION 20d REPLICATION 1 NAME "autogen"',
    );
    await node.influxd.write('theirs', 'm v=1');
    await node.startAgent();
    await cluster().converged();
    for (const { influxd } of cluster().nodes) {
      expect(await influxd.names('SHOW DATABASES')).to.have.members(['ours', 'theirs', 'both']);
      const [policies] = await influxd.query('SHOW RETENTION POLICIES ON "both"');
      expect(policies?.series?.[0]?.values?.[0]?.[1]).to.equal('480h0m0s');
    }
    expect(await node.influxd.names('SHOW MEASUREMENTS', { db: 'theirs' })).to.deep.equal(['m']);
  });

  it('whose agent.join is "pull" gets the others and keeps its own to itself, and says so', async () => {
    const node = await cluster().addNode({ withAgent: false, config: { agent: { join: 'pull' } } });
    await node.influxd.query('CREATE DATABASE "private"');
    await node.startAgent();
    const { held } = await eventually(async () => {
      const status = await node.status();
      expect(status['in-step']).to.equal(true);
      return status;
    });
    expect(held.map(({ object }) => object)).to.include('database private');
    expect(await node.influxd.names('SHOW DATABASES')).to.include.members(['ours', 'private']);
    expect(await cluster().nodes[0]!.influxd.names('SHOW DATABASES')).to.not.include('private');
    await node.end();
    cluster().nodes.splice(cluster().nodes.indexOf(node), 1);
  });

  it('waits for an influxd whose first start comes late, meta.db and all', async () => {
    const node = await cluster().addNode({ withAgent: false });
    await node.influxd.stop();
    await rm(node.influxd.metaDir, { recursive: true });
    await node.launchAgent();
    await eventually(async () => {
      expect((await node.status()).influxd.answers).to.equal(false);
    });
    await node.influxd.start();
    await cluster().converged();
    expect(await node.influxd.names('SHOW DATABASES')).to.include('ours');
  });

  it('goes on after restarts of influxd, also with changes made while it was down', async () => {
    const [one, two] = cluster().nodes;
    await one!.influxd.stop();
    await two!.influxd.query('CREATE DATABASE "while down"');
    await one!.influxd.start();
    await cluster().converged();
    await one!.influxd.kill9();
    await one!.influxd.start();
    await one!.influxd.query('DROP DATABASE "while down"');
    await cluster().converged();
    expect(await two!.influxd.names('SHOW DATABASES')).to.not.include('while down');
  });
});
