// All faults in random order, also two at a time, for as long as is asked for: SOAK_SECONDS (60 in `make test`, 600 in
// `make soak`). SEED repeats a run, as far as the order of its faults and of its users' statements goes.
import { both, LINE_FAULTS, PROCESS_FAULTS } from '../support/fault/faults.js';
import { suiteSeed, useFaultCluster } from '../support/fault/fault-suite.js';

const SOAK_MS = Number(process.env['SOAK_SECONDS'] ?? 60) * 1_000;

/** The last fault may begin right before the end, and is judged as well. */
const LAST_FAULT_MS = 90_000;

describe(`all faults at random (SEED=${suiteSeed()})`, function () {
  this.timeout(SOAK_MS + LAST_FAULT_MS);
  const faults = useFaultCluster();

  it(`for ${SOAK_MS / 1_000} s: nothing is lost, and all are equal after each of them`, async () => {
    const random = faults().random.fork('soak');
    const until = performance.now() + SOAK_MS;
    while (performance.now() < until) {
      const [one, other] = [random.pick(PROCESS_FAULTS), random.pick(LINE_FAULTS)];
      await faults().suffers(random.pick([one, other, both(one, other)]));
    }
  });
});
