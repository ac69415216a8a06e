// A manager does not reach etcd, and the other one does; agents are at both.
import { cutManagerFromEtcd, halfOpenManager } from '../support/fault/faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('a manager is parted from etcd', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('by refused connections, and nobody is told anything old or false', async () => {
    await faults().suffers(cutManagerFromEtcd);
  });

  it('by connections that say nothing, and nobody is told anything old or false', async () => {
    await faults().suffers(halfOpenManager);
  });
});
