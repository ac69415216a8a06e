// Two of three members of etcd are away for longer than every TTL: the managers can neither read nor write, and nobody exits.
import { expect } from 'chai';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultCluster } from '../support/fault/fault-cluster.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

/** Three times the TTL of the tests' clusters. */
const AWAY_MS = 6_000;

describe('etcd has no quorum for longer than the TTL', function () {
  this.timeout(120_000);
  const faults = useFaultCluster();

  it('and influxds are written all the while, no process exits, and all catch up', async () => {
    const { cluster, workload, random } = faults();
    const before = pidsOf(faults());
    const stays = random.below(cluster.etcd.ports.length);
    const gone = cluster.etcd.ports.map((_, member) => member).filter((each) => each !== stays);
    let refused: { status: number; retryAfter: string | null; body: unknown } | undefined;
    await faults().during(
      async () => {
        await Promise.all(gone.map((member) => cluster.etcd.kill9(member)));
        await delay(AWAY_MS);
        await workload.untilMore(10);
        const answer = await fetch(`${cluster.managers[0]!.url}/clusters`, {
          signal: AbortSignal.timeout(10_000),
        });
        const retryAfter = answer.headers.get('retry-after');
        refused = { status: answer.status, retryAfter, body: await answer.json() };
        await Promise.all(gone.map((member) => cluster.etcd.restart(member)));
      },
      { fault: 'etcd without quorum' },
    );
    expect(pidsOf(faults())).to.deep.equal(before);
    // The manager said so instead of answering from memory.
    expect(refused?.status).to.equal(503);
    expect(refused?.retryAfter).to.match(/^\d+$/);
    expect(refused?.body).to.include({ code: 'store-unavailable' });
  });
});

function pidsOf({ cluster }: FaultCluster): (number | undefined)[] {
  const { managers, nodes } = cluster;
  return [...managers, ...nodes.flatMap(({ agent, influxd }) => [agent, influxd])].map(
    ({ pid }) => pid,
  );
}
