// The agent of an owner, which is a gateway too, is killed (-9) in the middle of batches and reads, and started again.
import { expect } from 'chai';
import { usePointsCluster } from '../support/fault/points/points-suite.js';

const TIMES = 3;
/** So long the other gateways may refuse reads, from the first refusal to the next whole answer. */
const REFUSED_AT_MOST_MS = 1_000;

describe("an owner's agent is killed under writes and reads", function () {
  this.timeout(120_000);
  const points = usePointsCluster();

  it('again and again, and every owner gets every acknowledged point', async () => {
    const { cluster, random } = points();
    await points().during(
      async (load) => {
        for (let round = 0; round < TIMES; round += 1) {
          const node = random.pick(cluster.nodes);
          await node.agent.kill9();
          await load.untilMore(5);
          await node.startAgent();
          await load.untilMore(5);
        }
      },
      { fault: "owner's agent killed" },
    );
  });

  it('and no other gateway refuses reads for more than a second', async () => {
    const { cluster } = points();
    const [first, second, killed] = cluster.nodes;
    const { records } = await points().during(
      async (load) => {
        await killed!.agent.kill9();
        // Longer than the words of the one that is dead have force.
        await Promise.all([load.untilServed(0, 60), load.untilServed(1, 60)]);
        await killed!.startAgent();
        await Promise.all([load.untilServed(0, 20), load.untilServed(1, 20)]);
      },
      { fault: 'agent killed under reads' },
    );
    for (const [index, { name }] of [first!, second!].entries()) {
      const { longestRefusedMs } = records[index]!.figures;
      expect(longestRefusedMs, name).to.be.at.most(REFUSED_AT_MOST_MS);
    }
  });
});
