// etcd's history is compacted under the feet of watches and readers: while they run, and while a manager that watches was cut
// off or stood still, so that what it missed can't be told to it any more.
import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import { compactAll, revisionOf } from '../support/fault/etcd-care.js';
import type { FaultCluster } from '../support/fault/fault-cluster.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('etcd is compacted', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();

  it('again and again under load, and versions and history stay whole', async () => {
    const { cluster, workload } = faults();
    const history = `/clusters/${cluster.name}/history`;
    const statuses = new Set<number>();
    await faults().during(
      async () => {
        for (let round = 0; round < 8; round += 1) {
          await workload.untilMore(3);
          const [answer] = await Promise.all([
            fetch(`${cluster.managers[round % 2]!.url}${history}`),
            compactAll(cluster.etcd),
          ]);
          statuses.add(answer.status);
        }
      },
      { fault: 'etcd compacted' },
    );
    expect([...statuses]).to.deep.equal([200]);
  });

  it('while a manager is cut off: its watch lagged behind, and it reads anew', async () => {
    await faults().during(() => lagging(faults(), 'cut'), {
      fault: 'etcd compacted beyond a watch',
    });
  });

  it('while a manager stands still: its watch lagged behind, and it reads anew', async () => {
    await faults().during(() => lagging(faults(), 'paused'), {
      fault: 'etcd compacted beyond a paused manager',
    });
  });
});

/** One manager sees nothing of what the others do, and what it missed is compacted away before it sees again. */
async function lagging(faults: FaultCluster, how: 'cut' | 'paused'): Promise<void> {
  const { cluster, workload, random } = faults;
  const which = random.below(cluster.managers.length);
  const manager = cluster.managers[which]!;
  const before = await revisionOf(cluster.etcd);
  if (how === 'paused') manager.pause();
  for (const line of faults.linesOfManager(which)) line.cut();
  await workload.untilMore(10);
  await eventually(async () => (await revisionOf(cluster.etcd)) > before, {
    withinMs: 20_000,
    what: 'writes by the other manager',
  });
  await compactAll(cluster.etcd);
  for (const line of faults.linesOfManager(which)) line.heal();
  manager.resume();
  const other = cluster.managers.find((each) => each !== manager)!;
  const { version } = await other.get<{ version: number }>(`/clusters/${cluster.name}`);
  // Twice, because the first answer may be news that it had missed, and the second comes by the watch alone.
  const next = await waitBeyond(manager.url, version);
  await waitBeyond(manager.url, next);
}

/** As an agent waits for news at this manager. Rejects where none comes, though versions are made all the while. */
async function waitBeyond(url: string, version: number): Promise<number> {
  const read = `${url}/clusters/test/versions/${version}?wait=10s`;
  return eventually(
    async () => {
      const answer = await fetch(read, { signal: AbortSignal.timeout(15_000) });
      await answer.arrayBuffer();
      const now = Number(answer.headers.get('x-clusterflux-version'));
      // 503 until the manager has found etcd again, 204 where nothing was new.
      if (answer.status !== 200 || now <= version) throw new Error(`${answer.status} at ${now}`);
      return now;
    },
    { withinMs: 25_000, what: `a version after ${version}` },
  );
}
