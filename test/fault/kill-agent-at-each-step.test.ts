// An agent is killed (-9) at each named step of what it does, with failpoints: registering, settling, observing, pushing,
// creating, changing, replacing, and writing meta.db while influxd is stopped.
import { expect } from 'chai';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ended } from '../support/program.js';
import { dyingAt, failpointsIn } from '../support/fault/failpoints.js';
import type { FaultCluster } from '../support/fault/fault-cluster.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

/** Reached while influxd is restarted (kill-agent-while-restarting), and by hints and deletes (points-killed-at-each-step). */
const ELSEWHERE = /^(agent\.(restart|delete)|handoff)\./;

const REACHED_WITHIN_MS = 20_000;

/** Between two attempts to have a query replaced: the agent of the other node has seen the first by then. */
const ATTEMPT_MS = 200;

describe('an agent is killed', function () {
  this.timeout(90_000);
  const faults = useFaultCluster({ nodes: 2, store: 'embedded' });

  for (const name of failpointsIn('agent').filter((each) => !ELSEWHERE.test(each))) {
    it(`at ${name}, and nothing is lost`, async () => {
      const kill = name.startsWith('agent.offline.') ? killedOffline : killedRunning;
      await faults().during(() => kill(faults(), name), { fault: `killed at ${name}`, before: 2 });
    });
  }
});

/** The agent of node 1 dies there, and is started again. */
async function killedRunning({ cluster, random }: FaultCluster, name: string): Promise<void> {
  const { agent } = cluster.nodes[0]!;
  await agent.kill9();
  // A start registers once; everything else comes again and again.
  const nth = name.startsWith('agent.register.') ? 1 : random.between(1, 2);
  await cluster.nodes[0]!.launchAgent(dyingAt(name, nth));
  const ended = agent.untilEnded(REACHED_WITHIN_MS);
  if (name.startsWith('agent.replace.')) await replaceUntil(ended, cluster);
  expect((await ended).signal).to.equal('SIGKILL');
  await cluster.nodes[0]!.startAgent();
}

/** The agent of node 1 has to replace what node 2 changed in one go. */
async function replaceUntil(
  ended: Promise<Ended>,
  cluster: FaultCluster['cluster'],
): Promise<void> {
  const { influxd } = cluster.nodes[1]!;
  const isOver = ended.then(
    () => true,
    () => true,
  );
  await influxd.query('CREATE DATABASE "replaced"');
  for (let attempt = 0; ; attempt += 1) {
    const create = `CREATE CONTINUOUS QUERY "q" ON "replaced" BEGIN SELECT mean(v) INTO "m${attempt}" FROM "m" GROUP BY time(1h) END`;
    const drop = 'DROP CONTINUOUS QUERY "q" ON "replaced"';
    await influxd.query(attempt === 0 ? create : `${drop}; ${create}`);
    if (await Promise.race([isOver, delay(ATTEMPT_MS, false)])) break;
  }
  await influxd.query('DROP DATABASE "replaced"');
}

/** `agent sync --offline` on node 1 dies there, and is run again; then the node is started. */
async function killedOffline({ cluster, workload }: FaultCluster, name: string): Promise<void> {
  const node = cluster.nodes[0]!;
  await node.agent.kill9();
  await node.influxd.stop();
  const sync = ['agent', 'sync', '--offline', '--config', node.configFile];
  // Something must have changed elsewhere, or there is nothing to write.
  for (let isKilled = false; !isKilled;) {
    await workload.untilMore(5);
    isKilled = (await cluster.run(sync, dyingAt(name))).code === null;
  }
  // A one-off goes on for a minute while something changes in the cluster: this time nothing does.
  await workload.stop();
  const again = await cluster.run(sync);
  expect(again.code, again.stderr).to.equal(0);
  await node.influxd.start();
  await node.startAgent();
}
