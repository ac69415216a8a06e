// Faults of nodes in random order while clients write and read points, for as long as is asked for: SOAK_SECONDS (20 in `make test`).
import { suiteSeed } from '../support/fault/fault-suite.js';
import { POINT_FAULTS } from '../support/fault/points/point-faults.js';
import { usePointsCluster } from '../support/fault/points/points-suite.js';

const SOAK_MS = Number(process.env['SOAK_SECONDS'] ?? 20) * 1_000;

/** The last fault may begin right before the end, and is judged as well. */
const LAST_FAULT_MS = 90_000;

describe(`points and all faults at random (SEED=${suiteSeed()})`, function () {
  this.timeout(SOAK_MS + LAST_FAULT_MS);
  const points = usePointsCluster();

  it(`for ${SOAK_MS / 1_000} s: no read misses an acknowledged point, and every owner has all`, async () => {
    const random = points().random.fork('soak');
    const until = performance.now() + SOAK_MS;
    while (performance.now() < until) {
      const fault = random.pick(POINT_FAULTS);
      await points().during((load) => fault.run(points(), load), { fault: fault.name });
    }
  });
});
