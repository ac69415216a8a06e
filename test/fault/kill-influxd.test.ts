// An influxd is killed (-9) while its users change its metadata, alone and together with its agent.
import { killInfluxd, killNode } from '../support/fault/faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('an influxd is killed', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('at random moments, again and again, and nothing is lost', async () => {
    await faults().suffers(killInfluxd, { times: 3 });
  });

  it('together with its agent, and nothing is lost', async () => {
    await faults().suffers(killNode);
  });
});
