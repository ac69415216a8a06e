// Nobody reaches the agent of an owner, while it reaches all others: it can't know what they hold for it, so it answers no reads from
// its own influxd, and its gateway goes on with those of others.
import { eventually } from '../support/eventually.js';
import { usePointsCluster } from '../support/fault/points/points-suite.js';

describe('an agent is out of reach of its peers', function () {
  this.timeout(120_000);
  const points = usePointsCluster({ hasPeerLines: true });

  for (const how of ['cut', 'half-open'] as const) {
    it(`(${how}), and no gateway gives an answer that misses an acknowledged point`, async () => {
      const { cluster, peerLines } = points();
      const line = peerLines[2]!;
      await points().during(
        async (load) => {
          const { node: id } = await cluster.nodes[2]!.status();
          const record = load.records[2]!;
          if (how === 'cut') line.cut();
          else line.holdHalfOpen(true);
          // Until its peers' words have lost their force.
          await eventually(async () => {
            const before = record.servedBy.get(id!) ?? 0;
            await load.untilServed(2, 5);
            return record.servedBy.get(id!) === before;
          });
          await load.untilMore(10);
          await load.untilServed(2, 20);
          line.cut();
          line.heal();
        },
        { fault: `agent out of reach (${how})` },
      );
    });
  }

  it('and gets again what it had applied while its answers were lost', async () => {
    const line = points().peerLines[0]!;
    await points().during(
      async (load) => {
        line.swallowReplies(true);
        await load.untilMore(20);
        line.cut();
        line.heal();
      },
      { fault: 'answers of an agent lost' },
    );
  });
});
