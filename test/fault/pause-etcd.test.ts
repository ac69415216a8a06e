// A member of etcd is stopped (SIGSTOP) for longer than the TTL with its connections open.
import { pauseEtcdMember } from '../support/fault/faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('a member of etcd is paused for longer than the TTL', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('and the managers go on with the others', async () => {
    await faults().suffers(pauseEtcdMember);
  });
});
