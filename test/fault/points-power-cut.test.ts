// Everything dies at once (-9) under writes and reads: agents, influxds, managers, etcd; and starts again in whatever order.
import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import { usePointsCluster } from '../support/fault/points/points-suite.js';
import { SentPoints, untilDirect } from '../support/gateway/sent-points.js';

const BACK_WITHIN_MS = 10_000;

describe('the power is cut under writes', function () {
  this.timeout(120_000);
  const points = usePointsCluster();

  it('and no acknowledged point is lost; direct writes and reads are back within 10 s', async () => {
    const { cluster } = points();
    const { nodes, managers, etcd } = cluster;
    await points().during(
      async (load) => {
        // One owner has hints waiting for it when the rest dies.
        await nodes[2]!.end();
        await eventually(async () => (await nodes[0]!.status()).hints.length > 0, {
          withinMs: BACK_WITHIN_MS,
        });
        await load.untilMore(5);
        await Promise.all([
          ...nodes.map((node) => node.end()),
          ...managers.map((manager) => manager.kill9()),
          etcd.kill9(),
        ]);
        await Promise.all([
          etcd.restart(),
          ...managers.map((manager) => manager.start()),
          ...nodes.map(async (node) => {
            await node.startInfluxd();
            await node.startAgent();
          }),
        ]);
        const startedMs = performance.now();
        const own = new SentPoints(load.options.database);
        await untilDirect(own, nodes);
        expect(performance.now() - startedMs).to.be.lessThan(BACK_WITHIN_MS);
      },
      { fault: 'power cut under writes' },
    );
  });
});
