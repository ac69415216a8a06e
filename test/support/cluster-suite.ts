// A test cluster for the tests of one `describe`: started before them, ended after them, its logs shown where one fails.
import { startCluster, type ClusterOptions, type TestCluster } from './cluster.js';

/** The first suite of a run also waits for the build. */
const START_WITHIN_MS = 90_000;

/** To be called inside `describe`; what it returns is there once the tests run. */
export function useCluster(options: ClusterOptions = {}): () => TestCluster {
  let cluster: TestCluster | undefined;
  before('start a cluster', async function () {
    this.timeout(START_WITHIN_MS);
    cluster = await startCluster(options);
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed') console.log(await cluster?.logTails());
  });
  after('end the cluster', async () => {
    await cluster?.stop();
  });
  return () => {
    if (cluster === undefined) throw new Error('the cluster was not started');
    return cluster;
  };
}
