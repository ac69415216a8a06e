// The wall clock of one agent is an hour off, ahead or behind, while points go through its gateway and hints are kept by it and
// for it. Clocks decide neither who owns a point nor when a hint is too old, and no peer is refused.
import { expect } from 'chai';
import { join } from 'node:path';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { steppedClock, type SteppedClock } from '../support/fault/stepped-clock.js';
import { runOn, SentPoints, untilDirect } from '../support/gateway/sent-points.js';

const ANSWER_WITHIN_MS = 10_000;

describe('a clock is an hour off', function () {
  this.timeout(60_000);
  const cluster = useCluster({
    config: { handoff: { 'retry-interval': '50ms', 'retry-max-interval': '200ms' } },
  });
  const nodes = () => cluster().nodes as [ClusterNode, ClusterNode, ClusterNode];
  const clockOf = (node: ClusterNode): SteppedClock | undefined =>
    steppedClock(join(cluster().dir, `${node.name}.clock`));

  beforeEach(function () {
    if (clockOf(nodes()[0]) !== undefined) return;
    console.log('    skipped: there is no libfaketime; run `make deps`');
    this.skip();
  });

  for (const offset of ['+1h', '-1h']) {
    it(`by ${offset} at the agent whose gateway is written to: nothing is lost, and all is read`, async () => {
      const [first, second, third] = nodes();
      const clock = clockOf(first)!;
      await first.agent.stop();
      await first.startAgent(clock.env);
      // Groups of an hour: the one of its now is another than the one of everybody else's.
      const database = offset === '+1h' ? 'ahead' : 'behind';
      await runOn(second, `CREATE DATABASE ${database} WITH SHARD DURATION 1h NAME hours`);
      const points = new SentPoints(database);
      await untilDirect(points, nodes());

      clock.step(offset);
      for (const node of nodes()) await points.acknowledge(node, { level: 'all' });
      await third.end();
      for (const node of [first, second]) {
        expect((await points.acknowledge(node)).hinted).to.equal(1);
      }
      await third.startInfluxd();
      await third.startAgent();
      await points.untilEverywhere(nodes());
      await untilDirect(points, nodes());
      // Now it is the one that is away.
      await first.end();
      for (const node of [second, third]) await points.acknowledge(node);
      await first.startInfluxd();
      await first.startAgent(clock.env);
      await points.untilEverywhere(nodes());
      for (const node of nodes()) await points.untilRead(node);

      // Points without a time get that of the gateway's clock, wherever that puts them: the same everywhere.
      const url = `${first.gatewayUrl}/write?db=${database}&consistency=all`;
      const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
      const answer = await fetch(url, { method: 'POST', body: 'timeless v=1i', signal });
      expect(answer.status, await answer.text()).to.equal(204);
      const times = nodes().map((node) =>
        node.influxd.names('SELECT v FROM timeless', { db: database }),
      );
      expect(new Set((await Promise.all(times)).flat()).size).to.equal(1);
      clock.step('+0');
      await first.restartAgent();
    });
  }
});
