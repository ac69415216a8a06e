// Every answer of managers and etcd comes late, each by another time.
import { slowLines } from '../support/fault/faults.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('all lines are slow', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('and nothing is done twice', async () => {
    await faults().suffers(slowLines);
  });
});
