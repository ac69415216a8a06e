// One cluster for all files that try faults on points. After a test that failed the next one gets a new cluster, so that one
// fault's damage is not another one's finding.
import { suiteSeed } from '../fault-suite.js';
import {
  startPointsCluster,
  type PointsCluster,
  type PointsClusterOptions,
} from './points-cluster.js';

const START_WITHIN_MS = 120_000;

let shared: PointsCluster | undefined;

/** To be called inside `describe`. With options of its own a file gets a cluster of its own, ended after it. */
export function usePointsCluster(
  options?: Omit<PointsClusterOptions, 'seed'>,
): () => PointsCluster {
  let own: PointsCluster | undefined;
  const get = async () => {
    if (options === undefined) return (shared ??= await startPointsCluster({ seed: suiteSeed() }));
    return (own ??= await startPointsCluster({ ...options, seed: suiteSeed() }));
  };
  let current: PointsCluster | undefined;
  beforeEach('a cluster with clients', async function () {
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
after('end the shared cluster with clients', async () => {
  await shared?.stop();
  shared = undefined;
});
