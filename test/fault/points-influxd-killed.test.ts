// The influxd of an owner is killed (-9) in the middle of batches, and started again.
import { usePointsCluster } from '../support/fault/points/points-suite.js';

const TIMES = 3;

describe("an owner's influxd is killed under writes", function () {
  this.timeout(120_000);
  const points = usePointsCluster();

  it('again and again, and every owner gets every acknowledged point', async () => {
    const { cluster, random } = points();
    await points().during(
      async (load) => {
        for (let round = 0; round < TIMES; round += 1) {
          const { influxd } = random.pick(cluster.nodes);
          await influxd.kill9();
          await load.untilMore(5);
          await influxd.start();
          await load.untilMore(5);
        }
      },
      { fault: "owner's influxd killed" },
    );
  });
});
