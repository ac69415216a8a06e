// An agent is stopped (SIGSTOP) for longer than its TTL, and goes on: it believes that no time has passed.
import { pauseAgent } from '../support/fault/faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('an agent is paused for longer than its TTL', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('catches up when it goes on, and drops nothing', async () => {
    await faults().suffers(pauseAgent);
  });
});
