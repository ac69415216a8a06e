// An influxd is stopped (SIGSTOP) for longer than the TTL: alive, and answering nobody.
import { pauseInfluxd } from '../support/fault/faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('an influxd is paused for longer than the TTL', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('and its silence is no deletion', async () => {
    await faults().suffers(pauseInfluxd);
  });
});
