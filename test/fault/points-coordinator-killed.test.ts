// The gateway that took points for an owner that was away is killed with the hints on its disk; then the owner comes back, and
// must know that it lacks points which only a dead node has.
import { expect } from 'chai';
import type { ClusterNode } from '../support/cluster-node.js';
import { eventually } from '../support/eventually.js';
import { flagsIn } from '../support/fault/points/owner-points.js';
import { usePointsCluster } from '../support/fault/points/points-suite.js';

/** The words of a peer have force for 3 s: reads go on for longer than that. */
const LONGER_THAN_WORDS_MS = 4_000;

/** What it says before it has read them, it must not say. */
const SLOW_TO_READ_HINTS = { CLUSTERFLUX_FAILPOINT: 'handoff.open.begun=delay:1500' };

describe('a coordinator is killed with hints, and then the owner comes back', function () {
  this.timeout(120_000);
  const points = usePointsCluster();

  it('and no read misses an acknowledged point, whichever gateway is asked', async () => {
    const { cluster } = points();
    const [coordinator, other, owner] = cluster.nodes;
    await points().during(
      async (load) => {
        await owner!.end();
        await load.untilMore(20);
        await eventually(async () => (await coordinator!.status()).hints.length > 0);
        // With a flag of the dead one the third could not know either what it lacks.
        const otherId = await idOf(other!);
        const isFlagged = async () =>
          (await flagsIn(cluster)).some((flag) => flag.owner === otherId);
        await eventually(async () => !(await isFlagged()), { withinMs: 20_000 });
        await coordinator!.agent.kill9();
        await owner!.startInfluxd();
        // It is not ready before it has what the dead one holds for it.
        await owner!.launchAgent();
        const ownId = await eventually(() => idOf(owner!), { withinMs: 10_000 });
        const record = load.records[2]!;
        const before = record.servedBy.get(ownId) ?? 0;
        const beganMs = performance.now();
        // Its gateway answers, and not from its own influxd.
        await eventually(() => performance.now() - beganMs > LONGER_THAN_WORDS_MS, {
          withinMs: 2 * LONGER_THAN_WORDS_MS,
          everyMs: 50,
        });
        await load.untilServed(2, 10);
        expect(record.servedBy.get(ownId) ?? 0).to.equal(before);
        expect(record.servedBy.get(otherId)).to.be.at.least(10);
        await coordinator!.startAgent(SLOW_TO_READ_HINTS);
      },
      { fault: 'coordinator killed with hints, owner back' },
    );
  });
});

async function idOf(node: ClusterNode): Promise<number> {
  const { node: id } = await node.status();
  if (id === null) throw new Error(`${node.name} is not registered`);
  return id;
}
