// What InfluxDB's own suite expects, answered through the gateway: by one node, by three with the requests spread over them, and
// by what is left of three. Strictly: default settings, no retries.
import { expect } from 'chai';
import { useCluster } from '../support/cluster-suite.js';
import { failuresText, replay, type Replayed, type ReplayOptions } from '../support/conformance.js';

/** Of the cases that need no settings of the server. */
const STEPS = 418;

describe("InfluxDB's own cases, through the gateway", function () {
  this.timeout(240_000);

  async function allPass(
    urls: readonly string[],
    steps: number,
    options?: ReplayOptions,
  ): Promise<void> {
    const result: Replayed = await replay(urls, options);
    expect(result.failures, failuresText(result)).to.have.length(0);
    expect(result.warnings, failuresText(result)).to.deep.equal([]);
    expect(result.steps.pass).to.equal(steps);
  }

  describe('of one node', () => {
    const cluster = useCluster({ nodes: 1 });

    it('pass', () => allPass([cluster().nodes[0]!.gatewayUrl], STEPS));
  });

  describe('of one node whose server has settings of its own', () => {
    const config = {
      meta: { 'retention-autocreate': false },
      coordinator: { 'max-select-buckets': 5 },
    };
    const cluster = useCluster({ nodes: 1, influxd: { config } });

    it('pass', async () => {
      const urls = [cluster().nodes[0]!.gatewayUrl];
      await allPass(urls, 22, { config: 'meta.retention-autocreate=false' });
      await allPass(urls, 2, { config: 'coordinator.max-select-buckets=5' });
    });
  });

  describe('of three nodes', () => {
    const cluster = useCluster({ nodes: 3 });

    it('pass with the requests spread over them', () =>
      allPass(
        cluster().nodes.map(({ gatewayUrl }) => gatewayUrl),
        STEPS,
      ));

    it('pass with one of them killed', async () => {
      const [first, second, third] = cluster().nodes;
      await third!.end();
      await allPass([first!.gatewayUrl, second!.gatewayUrl], STEPS);
    });
  });
});
