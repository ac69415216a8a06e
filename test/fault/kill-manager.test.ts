// Managers are killed (-9) at random moments while metadata changes on every node: one, and both at once.
import { killManager, killAllManagers } from '../support/fault/faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('a manager is killed', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('at random moments, again and again, and nothing is lost', async () => {
    await faults().suffers(killManager, { times: 4 });
  });

  it('and the other one with it, and nothing is lost', async () => {
    await faults().suffers(killAllManagers);
  });
});
