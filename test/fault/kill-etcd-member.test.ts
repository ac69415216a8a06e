// One of three members of etcd is killed (-9) at random moments, and started again.
import { killEtcdMember } from '../support/fault/faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('a member of etcd is killed', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('at random moments, again and again, and nothing is lost', async () => {
    await faults().suffers(killEtcdMember, { times: 3 });
  });
});
