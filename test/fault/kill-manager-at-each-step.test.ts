// The only manager of an embedded store is killed (-9) at each named step of writing a version and of registering a node, and
// while a large snapshot lies in its store without a pointer to it.
import { expect } from 'chai';
import { randomBytes, randomUUID } from 'node:crypto';
import type { ClusterManager } from '../support/cluster-manager.js';
import { eventually } from '../support/eventually.js';
import { dyingAt, failpointsIn } from '../support/fault/failpoints.js';
import type { FaultCluster } from '../support/fault/fault-cluster.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';
import { snapshotOf, database, policy } from '../support/snapshots.js';

/** Compressed it does not fit into one transaction: it goes into chunks of its own first. */
const LARGE_BYTES = 3_000_000;

describe('the manager is killed', function () {
  this.timeout(90_000);
  const faults = useFaultCluster({ nodes: 2, store: 'embedded' });

  for (const name of failpointsIn('manager')) {
    it(`at ${name}, and nothing is lost or written twice`, async () => {
      const isLarge = name.startsWith('manager.blob.');
      await faults().during(() => (isLarge ? killedByLarge : killedAt)(faults(), name), {
        fault: `killed at ${name}`,
        before: 2,
      });
    });
  }
});

async function killedAt({ cluster }: FaultCluster, name: string): Promise<void> {
  const [manager, node] = [cluster.managers[0]!, cluster.nodes[0]!];
  await manager.kill9();
  await manager.start(dyingAt(name));
  if (name.startsWith('manager.register.')) {
    await node.agent.kill9();
    await node.launchAgent();
  }
  await untilKilled(manager);
  await manager.start();
}

/** Somebody writes a large snapshot to a cluster of its own, and asks again with the same key until it is answered. */
async function killedByLarge({ cluster, random }: FaultCluster, name: string): Promise<void> {
  const manager = cluster.managers[0]!;
  await manager.kill9();
  await manager.start(dyingAt(name));
  const large = `large ${random.below(1_000_000)}`;
  const key = randomUUID();
  const put = () => putLarge(manager.url, large, key);
  // Its answer dies with the manager.
  await put().catch(() => undefined);
  await untilKilled(manager);
  await manager.start();
  expect(await put()).to.equal(1);
  expect(await put()).to.equal(1);
  const history = await manager.get<unknown[]>(`/clusters/${encodeURIComponent(large)}/history`);
  expect(history).to.have.lengthOf(1);
}

let largeSnapshot: Buffer | undefined;

/** The version that it became. */
async function putLarge(url: string, cluster: string, key: string): Promise<number> {
  largeSnapshot ??= snapshotOf(
    database('large'),
    policy('large', 'autogen'),
    ...Array.from({ length: LARGE_BYTES / 100_000 }, (_, i) => ({
      kind: 'subscription' as const,
      path: ['large', 'autogen', `s${i}`] as const,
      value: { mode: 'ANY', destinations: [`udp://${randomBytes(50_000).toString('hex')}`] },
    })),
  );
  const answer = await fetch(`${url}/clusters/${encodeURIComponent(cluster)}/versions/0`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream', 'idempotency-key': key },
    body: new Uint8Array(largeSnapshot),
    signal: AbortSignal.timeout(10_000),
  });
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { version: number }).version;
}

async function untilKilled(manager: ClusterManager): Promise<void> {
  await eventually(() => manager.pid === undefined, {
    withinMs: 20_000,
    what: 'the manager to reach its failpoint',
  });
}
