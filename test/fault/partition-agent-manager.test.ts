// An agent and one of its managers do not reach each other; the other manager is there.
import { cutAgentFromManager } from '../support/fault/faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('an agent is parted from one of two managers', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('and goes on with the other', async () => {
    await faults().suffers(cutAgentFromManager);
  });
});
