// What is set up wrongly is told at the start in one sentence, before anything is touched: another cluster's name, another
// influxd's meta directory, managers of two stores, a certificate that is over.
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { makeAuthority } from '../support/certificates.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import type { ClusterNode } from '../support/cluster-node.js';
import { builtLauncher } from '../support/build.js';
import { eventually } from '../support/eventually.js';

const DAY_MS = 24 * 3_600_000;

describe('what is set up wrongly', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  let other: TestCluster;
  before('two installations of one node each', async function () {
    this.timeout(120_000);
    const launcher = await builtLauncher('failpoints');
    const both = ['one', 'two'].map(() => startCluster({ nodes: 1, launcher }));
    [cluster, other] = (await Promise.all(both)) as [TestCluster, TestCluster];
    for (const [index, each] of [cluster, other].entries()) {
      const [node] = each.nodes;
      await node!.influxd.query(`CREATE DATABASE "of ${index}"`);
      await each.converged();
    }
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed') console.log(await cluster.logTails());
  });
  after(async () => {
    await Promise.all([cluster.stop(), other.stop()]);
  });

  it('another name of the cluster: the agent ends and names both, and no such cluster is made', async () => {
    const [node] = cluster.nodes;
    const before = await node!.influxd.names('SHOW DATABASES');
    await node!.agent.stop();
    const said = await wordsOf(node!, async () => {
      await node!.launchAgent({ CLUSTERFLUX_AGENT_CLUSTER: 'typo' });
      expect((await node!.agent.untilEnded()).code).to.not.equal(0);
    });
    expect(said).to.include('belongs to cluster test').and.include('agent.cluster is typo');
    expect(await clustersOf(cluster)).to.deep.equal(['test']);
    expect(await node!.influxd.names('SHOW DATABASES')).to.deep.equal(before);
    await node!.startAgent();
  });

  it("another influxd's meta directory: nothing is changed on either, and the status names both keys", async () => {
    const node = await cluster.addNode({ withAgent: false });
    await node.influxd.query('CREATE DATABASE "mine"');
    const strange = other.nodes[0]!.influxd;
    await node.launchAgent({ CLUSTERFLUX_INFLUXDB_META_DIR: strange.metaDir });
    await eventually(async () => {
      const { sentence } = await node.status();
      expect(sentence).to.include('influxdb.meta-dir and influxdb.url are of two servers');
    });
    expect(await node.influxd.names('SHOW DATABASES')).to.deep.equal(['mine']);
    expect(await strange.names('SHOW DATABASES')).to.deep.equal(['of 1']);
    expect(await cluster.nodes[0]!.influxd.names('SHOW DATABASES')).to.deep.equal(['of 0']);
    await node.end();
  });

  it('managers of two stores: a new node changes nothing anywhere, and its status names both', async () => {
    const endpoints = [cluster.managers[0]!.url, other.managers[0]!.url];
    const node = await cluster.addNode({ withAgent: false, endpoints });
    await node.influxd.query('CREATE DATABASE "between"');
    await node.launchAgent();
    await eventually(
      async () => {
        const { sentence } = await node.status();
        expect(sentence).to.include('the managers do not belong together');
        for (const endpoint of endpoints) expect(sentence).to.include(endpoint);
      },
      { withinMs: 15_000 },
    );
    expect(await node.influxd.names('SHOW DATABASES')).to.deep.equal(['between']);
    expect(await cluster.nodes[0]!.influxd.names('SHOW DATABASES')).to.not.include('between');
    expect(await other.nodes[0]!.influxd.names('SHOW DATABASES')).to.not.include('between');
    await node.end();
  });

  it('a certificate that is over: manager and agent end and say since when, and no directory is made', async () => {
    const authority = await makeAuthority(join(cluster.dir, 'data'), 'authority');
    const dates = { from: new Date(Date.now() - 3 * DAY_MS), to: new Date(Date.now() - DAY_MS) };
    const { certFile, keyFile } = await authority.issue('over', dates);
    const directory = join(cluster.dir, 'data', 'never-made');
    for (const program of ['manager', 'agent']) {
      const upper = program.toUpperCase();
      const { code, stderr } = await cluster.run([program], {
        [`CLUSTERFLUX_${upper}_CERT_FILE`]: certFile,
        [`CLUSTERFLUX_${upper}_KEY_FILE`]: keyFile,
        CLUSTERFLUX_AGENT_CLUSTER: 'test',
        CLUSTERFLUX_AGENT_STATE_DIR: directory,
        CLUSTERFLUX_MANAGER_DATA_DIR: directory,
      });
      expect(code, program).to.not.equal(0);
      expect(stderr, program)
        .to.include(`${program}.cert-file`)
        .and.include(`expired at ${dates.to.toISOString().slice(0, 10)}`);
      expect(existsSync(directory), program).to.equal(false);
    }
  });
});

/** What the agent logs while `action` goes on. */
async function wordsOf(node: ClusterNode, action: () => Promise<void>): Promise<string> {
  const { length } = await node.agent.log();
  await action();
  return (await node.agent.log()).slice(length);
}

async function clustersOf(cluster: TestCluster): Promise<string[]> {
  const clusters = await cluster.managers[0]!.get<{ name: string }[]>('/clusters');
  return clusters.map(({ name }) => name);
}
