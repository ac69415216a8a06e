// Agents are killed (-9) at random moments while metadata changes on every node, and started again.
import { killAgent, killAllAgents } from '../support/fault/faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('an agent is killed', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('at random moments, again and again, and nothing is lost', async () => {
    await faults().suffers(killAgent, { times: 4 });
  });

  it('and all others with it, and nothing is lost', async () => {
    await faults().suffers(killAllAgents);
  });
});
