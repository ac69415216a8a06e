// Everything dies at once (-9) under load: etcd, managers, agents and influxds; and starts again in whatever order.
import { powerCut } from '../support/fault/faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('the power is cut', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('and nothing that an influxd had acknowledged is lost', async () => {
    await faults().suffers(powerCut);
  });
});
