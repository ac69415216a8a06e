// A manager is stopped (SIGSTOP) for longer than the TTL with its connections open.
import { pauseManager } from '../support/fault/faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('a manager is paused for longer than the TTL', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('and what it had begun neither wins twice nor is lost', async () => {
    await faults().suffers(pauseManager);
  });
});
