// The manager and etcd are gone for 20 s under full load: points with times in groups that are made, and all reads, go on; points
// in groups that are not are declined, and nobody guesses where they belong.
import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import type { PointLoad } from '../support/fault/points/point-load.js';
import type { PointsCluster } from '../support/fault/points/points-cluster.js';
import { usePointsCluster } from '../support/fault/points/points-suite.js';
import { writePoints, type WriteAnswer } from '../support/fault/points/gateway-client.js';

const AWAY_MS = 20_000;
const DAY_S = 86_400;
/** From the first refusal of a read to the next whole answer, on a busy machine. */
const REFUSED_AT_MOST_MS = 1_000;

describe('managers and etcd are gone', function () {
  this.timeout(180_000);
  const points = usePointsCluster();

  it('and points in groups that are made go on; others are declined, and nothing is guessed', async () => {
    const { cluster } = points();
    const refusedMs: number[] = [];
    await points().during(
      async (load) => {
        load.maker.isHeld = true;
        // What was drawn before is in groups that are made now.
        await load.untilMore(10);
        await Promise.all([
          ...cluster.managers.map((manager) => manager.kill9()),
          cluster.etcd.kill9(),
        ]);
        const beganMs = performance.now();
        while (performance.now() - beganMs < AWAY_MS) {
          await load.untilMore(10);
          for (const node of cluster.nodes.keys()) await load.untilServed(node, 5);
          await expectNoGroup(points(), load);
        }
        refusedMs.push(...load.records.map(({ figures }) => figures.longestRefusedMs));
        await cluster.etcd.restart();
        await Promise.all(cluster.managers.map((manager) => manager.start()));
        load.maker.isHeld = false;
        await eventually(async () => (await writeBeyond(points(), load)).kind === 'acknowledged', {
          withinMs: 20_000,
          everyMs: 100,
          what: 'a new group to be made',
        });
      },
      { fault: 'manager and etcd gone for 20 s' },
    );
    // All nodes are up, so nobody needs the managers to know who has what.
    expect(Math.max(...refusedMs)).to.be.at.most(REFUSED_AT_MOST_MS);
  });
});

/** A day before all others, for which there is no group. */
function writeBeyond({ cluster, random }: PointsCluster, load: PointLoad): Promise<WriteAnswer> {
  const { database, startS } = load.options;
  return writePoints(random.pick(cluster.nodes).gatewayUrl, {
    ...{ database, policy: '', precision: 's', level: 'any' },
    lines: `beyond v=1i ${startS - DAY_S}`,
  });
}

async function expectNoGroup(points: PointsCluster, load: PointLoad): Promise<void> {
  const answer = await writeBeyond(points, load);
  expect(answer).to.include({
    kind: 'declined',
    status: 503,
    code: 'no-group',
    isSafeToRetry: true,
  });
  const { database } = load.options;
  for (const { influxd } of points.cluster.nodes) {
    expect(await influxd.names('SELECT v FROM beyond', { db: database })).to.deep.equal([]);
  }
}
