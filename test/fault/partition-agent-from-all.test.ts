// One agent reaches no manager, while its users and those of the others go on changing metadata.
import { cutAgentFromAll, halfOpenAgent } from '../support/fault/faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('an agent is parted from all managers', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('by refused connections, and catches up afterwards', async () => {
    await faults().suffers(cutAgentFromAll);
  });

  it('by connections that say nothing, and catches up afterwards', async () => {
    await faults().suffers(halfOpenAgent);
  });
});
