// etcd is full and raises its alarm: it takes no writes until a person has made room and disarmed it.
import { expect } from 'chai';
import { fillUp, makeRoom } from '../support/fault/etcd-care.js';
import type { FaultCluster } from '../support/fault/fault-cluster.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

const QUOTA_MIB = 24;

describe('etcd has no space', function () {
  this.timeout(90_000);
  const faults = useFaultCluster({
    nodes: 2,
    etcdMembers: 1,
    etcdFlags: [`--quota-backend-bytes=${QUOTA_MIB * 1024 * 1024}`],
  });

  it('writes are refused in words, influxds are written all the while, and after room was made all goes on', async () => {
    const { cluster, workload } = faults();
    let refused: { status: number; body: unknown } | undefined;
    await faults().during(
      async () => {
        await fillUp(cluster.etcd, QUOTA_MIB * 2);
        await workload.untilMore(10);
        refused = await register(faults());
        expect(cluster.managers.map(({ pid }) => pid)).to.not.include(undefined);
        expect(cluster.nodes.map(({ agent }) => agent.pid)).to.not.include(undefined);
        await makeRoom(cluster.etcd);
      },
      { fault: 'etcd full' },
    );
    expect(refused?.status).to.equal(503);
    expect(refused?.body).to.include({ code: 'store-unavailable' });
    expect((refused?.body as { detail: string }).detail)
      .to.include('database space exceeded')
      .and.include('disarm its NOSPACE alarm');
  });

  it('reads go on while it is full', async () => {
    const { cluster } = faults();
    const [manager] = cluster.managers;
    let version = 0;
    await faults().during(
      async () => {
        await fillUp(cluster.etcd, QUOTA_MIB * 2);
        const read = await fetch(`${manager!.url}/clusters/${cluster.name}/versions/0?wait=0s`);
        version = Number(read.headers.get('x-clusterflux-version'));
        await makeRoom(cluster.etcd);
      },
      { fault: 'etcd full, and read' },
    );
    expect(version).to.be.greaterThan(0);
  });
});

/** A registration of a client that no manager has seen. */
async function register({ cluster }: FaultCluster) {
  const answer = await fetch(`${cluster.managers[0]!.url}/nodes/another`, {
    method: 'POST',
    body: JSON.stringify({ hostname: 'late', ips: ['127.0.0.1'] }),
    signal: AbortSignal.timeout(10_000),
  });
  return { status: answer.status, body: await answer.json() };
}
