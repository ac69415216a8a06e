// Two of three owners go away, influxd and agent: what one owner can promise goes on, what it can't is declined, and both get
// everything once they are back.
import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import { flagsIn } from '../support/fault/points/owner-points.js';
import { usePointsCluster } from '../support/fault/points/points-suite.js';
import { WRITE_LEVELS } from '../support/fault/points/batches.js';
import { writePoints } from '../support/fault/points/gateway-client.js';

describe('two of three owners are away', function () {
  this.timeout(120_000);
  const points = usePointsCluster();

  it('and one acknowledges at the levels that it can reach, and answers reads', async () => {
    const { cluster } = points();
    const [stays, ...gone] = cluster.nodes;
    const { options } = await points().during(
      async (load) => {
        // With a flag of a node that is gone the last one could not know what it lacks, and would answer no reads.
        await eventually(async () => (await flagsIn(cluster)).length === 0, { withinMs: 20_000 });
        await Promise.all(gone.map((node) => node.end()));
        const { database, startS } = load.options;
        const kinds: Record<string, string> = {};
        for (const level of WRITE_LEVELS) {
          const answer = await writePoints(stays!.gatewayUrl, {
            ...{ database, policy: '', precision: 's', level },
            lines: `probe,level=${level} v=1i ${startS}`,
          });
          kinds[level] = answer.kind === 'declined' ? answer.code : answer.kind;
        }
        expect(kinds).to.deep.equal({
          any: 'acknowledged',
          one: 'acknowledged',
          quorum: 'level-not-reached',
          all: 'level-not-reached',
        });
        await load.untilMore(20);
        await load.untilServed(0, 20);
        await Promise.all(gone.map((node) => node.startInfluxd()));
        await Promise.all(gone.map((node) => node.startAgent()));
      },
      { fault: 'two of three owners away' },
    );
    // Also what was declined for its level arrives, as the gateway said.
    for (const { influxd, name } of cluster.nodes) {
      const [result] = await influxd.query('SELECT v FROM probe GROUP BY *', {
        db: options.database,
      });
      const levels = result?.series?.map(({ tags }) => tags?.['level']);
      expect(levels, name).to.deep.equal(['all', 'any', 'one', 'quorum']);
    }
  });
});
