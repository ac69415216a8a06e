// One fault cluster for all files that take it as it is: starting eleven processes costs more than most faults. After a test
// that failed the next one gets a new cluster, so that one fault's damage is not another one's finding.
import { seedOfThisRun } from './random.js';
import { startFaultCluster, type FaultCluster, type FaultClusterOptions } from './fault-cluster.js';

const START_WITHIN_MS = 120_000;

let shared: FaultCluster | undefined;
let seed: number | undefined;

/** Printed once, so that a run can be repeated. */
export function suiteSeed(): number {
  if (seed === undefined) {
    seed = seedOfThisRun();
    console.log(`    SEED=${seed}`);
  }
  return seed;
}

/** To be called inside `describe`. With options of its own a file gets a cluster of its own, ended after it. */
export function useFaultCluster(options?: Omit<FaultClusterOptions, 'seed'>): () => FaultCluster {
  let own: FaultCluster | undefined;
  const get = async () => {
    if (options === undefined) return (shared ??= await startFaultCluster({ seed: suiteSeed() }));
    return (own ??= await startFaultCluster({ ...options, seed: suiteSeed() }));
  };
  let current: FaultCluster | undefined;
  beforeEach('a cluster under faults', async function () {
    this.timeout(START_WITHIN_MS);
    current = await get();
  });
  afterEach(async function () {
    if (this.currentTest?.state !== 'failed') return;
    if (options === undefined) shared = undefined;
    else own = undefined;
    await current?.stop();
  });
  after('end the cluster of this file', async () => {
    await own?.stop();
  });
  return () => {
    if (current === undefined) throw new Error('the cluster was not started');
    return current;
  };
}

// At the level of the file, not of a suite: after everything.
after('end the shared cluster', async () => {
  await shared?.stop();
  shared = undefined;
});
