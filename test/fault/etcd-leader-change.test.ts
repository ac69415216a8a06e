// Another member of etcd becomes its leader: because a person moves the lead, and because the leader dies.
import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import { leaderOf } from '../support/fault/etcd-care.js';
import { moveEtcdLeader } from '../support/fault/etcd-faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('the leader of etcd changes', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('again and again by hand, and nothing is lost or done twice', async () => {
    await faults().suffers(moveEtcdLeader, { times: 4 });
  });

  it('because it is killed, and the managers find the next one', async () => {
    const { cluster, workload } = faults();
    await faults().during(
      async () => {
        const leader = await leaderOf(cluster.etcd);
        await cluster.etcd.kill9(leader);
        await workload.untilMore(10);
        await eventually(
          async () => expect([-1, leader]).to.not.include(await leaderOf(cluster.etcd)),
          { what: 'the next leader' },
        );
        await cluster.etcd.restart(leader);
      },
      { fault: 'etcd leader killed' },
    );
  });
});
