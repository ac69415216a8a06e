// An agent is killed (-9) at each named step of restarting its influxd for a password, and started again: influxd must run, with
// that password, and nobody else may stay kept from restarting.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { builtLauncher } from '../support/build.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { dyingAt, failpointsIn } from '../support/fault/failpoints.js';
import { becomeRestartable, commandsIn, type RestartableInfluxd } from '../support/restartable.js';

/** A restart waits two seconds for more users, and a lock of a dead agent for its TTL. */
const WITHIN_MS = 40_000;

describe('an agent that restarts influxd is killed', function () {
  this.timeout(100_000);
  let cluster: TestCluster;
  const influxds: RestartableInfluxd[] = [];

  before('start a cluster', async function () {
    this.timeout(120_000);
    cluster = await startCluster({
      nodes: 0,
      launcher: await builtLauncher('failpoints'),
      config: { influxdb: { 'restart-interval': '1s' } },
    });
    for (const name of ['node-1', 'node-2']) {
      const dir = join(cluster.dir, 'data', name);
      await mkdir(dir, { recursive: true });
      const influxdb = { ...commandsIn(dir), restart: 'command' };
      const node = await cluster.addNode({ config: { influxdb }, withAgent: false });
      influxds.push(await becomeRestartable(node.influxd));
      await node.startAgent();
    }
    await cluster.converged({ withinMs: WITHIN_MS });
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed') console.log(await cluster.logTails());
  });
  after('end the cluster', async () => {
    // Else they would start what is ended next.
    await Promise.all(cluster.nodes.map(({ agent }) => agent.kill9()));
    await Promise.all(influxds.map((each) => each.end()));
    await cluster.stop();
  });

  const names = failpointsIn('agent').filter((name) => name.startsWith('agent.restart.'));
  for (const [index, name] of names.entries()) {
    it(`at ${name}: the next one ends what it began`, async () => {
      const [first, second] = cluster.nodes;
      await second!.agent.kill9();
      await second!.startAgent(dyingAt(name));
      await first!.influxd.query(`CREATE USER "u ${index}" WITH PASSWORD 'p'`);
      expect((await second!.agent.untilEnded(WITHIN_MS)).signal).to.equal('SIGKILL');
      await second!.launchAgent();
      await cluster.converged({ withinMs: WITHIN_MS });
      expect(await Promise.all(influxds.map((each) => each.answers()))).to.deep.equal([true, true]);
    });
  }

  it('and the lock that it died with is free again in time', async () => {
    await cluster.nodes[1]!.influxd.query(`CREATE USER "other way" WITH PASSWORD 'p'`);
    await cluster.converged({ withinMs: WITHIN_MS });
  });
});
