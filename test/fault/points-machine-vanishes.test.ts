// A node's machine vanishes, for all that the others can see: agent and influxd are stopped (SIGSTOP), so that nothing answers at
// their addresses and nothing refuses. Then it comes back and believes that no time has passed.
import { expect } from 'chai';
import { usePointsCluster } from '../support/fault/points/points-suite.js';
import { writePoints } from '../support/fault/points/gateway-client.js';

const TTL_MS = 2_000;
/** Without an answer, from the first refusal of a gateway to its next whole answer. */
const REFUSED_AT_MOST_MS = TTL_MS + 5_000;
/** More than a gateway gives while the last words of the one that has vanished have force (3 s). */
const LONG = 150;

describe('the machine of one of three nodes vanishes', function () {
  this.timeout(120_000);
  const points = usePointsCluster({ config: { etcd: { ttl: `${TTL_MS / 1_000}s` } } });

  it('and the others answer reads and take points again within seconds, and it is whole before it does', async () => {
    const { nodes } = points().cluster;
    const [first, second, gone] = nodes;
    const { records } = await points().during(
      async (load) => {
        const { database, startS } = load.options;
        gone!.agent.pause();
        gone!.influxd.pause();
        try {
          const write = async (url: string) =>
            writePoints(url, {
              ...{ database, policy: '', precision: 's', level: 'quorum' },
              lines: `probe v=1i ${startS}`,
            });
          const answers = await Promise.all(
            [first!, second!].map((each) => write(each.gatewayUrl)),
          );
          expect(answers.map(({ kind }) => kind)).to.deep.equal(['acknowledged', 'acknowledged']);
          await Promise.all([load.untilServed(0, LONG), load.untilServed(1, LONG)]);
        } finally {
          gone!.influxd.resume();
          gone!.agent.resume();
        }
      },
      { fault: 'machine vanishes' },
    );
    for (const [index, { name }] of [first!, second!].entries()) {
      const { longestUnservedMs } = records[index]!.figures;
      expect(longestUnservedMs, name).to.be.at.most(REFUSED_AT_MOST_MS);
    }
  });
});
