// Disks run full: under the agent's state, under the embedded store of a manager, under influxd. Needs root, for a small file
// system to be mounted; the unit tests of journal and commit log have the same failure from their file-system ports.
import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import { onSmallDisk, whyNoMounts } from '../support/fault/disks.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

/** Several times what the directories hold. */
const DISK_MIB = 32;

const NO_SPACE = /no space left on device/;

describe('a disk is full', function () {
  this.timeout(120_000);
  let isPossible = false;
  before(async function () {
    const why = await whyNoMounts();
    if (why !== undefined) console.log(`    skipped: ${why}`);
    isPossible = why === undefined;
    if (!isPossible) this.skip();
  });

  describe('of agent and influxd', () => {
    const faults = useFaultCluster();

    it('under the state of an agent: it waits, drops nothing, and goes on when there is room', async () => {
      const { cluster, random, workload } = faults();
      const node = random.pick(cluster.nodes);
      await node.agent.stop();
      const disk = await onSmallDisk(node.stateDir, DISK_MIB);
      try {
        await node.startAgent();
        const { pid } = node.agent;
        await faults().during(
          async () => {
            await disk.fill();
            await workload.untilMore(20);
            await eventually(
              async () => expect((await node.status()).sentence).to.match(NO_SPACE_LEFT),
              { withinMs: 10_000 },
            );
            await disk.free();
          },
          { fault: 'state directory full' },
        );
        expect(node.agent.pid, 'the agent did not exit').to.equal(pid);
      } finally {
        await node.agent.stop();
        await disk.remove();
        await node.startAgent();
      }
    });

    it("under influxd: what it refused is nobody else's news, and it goes on when there is room", async () => {
      const { cluster, random, workload } = faults();
      const node = random.pick(cluster.nodes);
      await node.influxd.stop();
      const disk = await onSmallDisk(node.influxd.metaDir, DISK_MIB);
      workload.tolerated = NO_SPACE;
      try {
        await node.influxd.start();
        await faults().during(
          async () => {
            await disk.fill();
            await workload.untilMore(20);
            await disk.free();
          },
          { fault: 'meta directory of influxd full' },
        );
      } finally {
        workload.tolerated = undefined;
        await node.influxd.stop();
        await disk.remove();
        await node.influxd.start();
      }
    });
  });

  describe('of a manager', () => {
    const faults = useFaultCluster({ nodes: 2, store: 'embedded' });

    it('under its embedded store: it says so, and goes on when there is room and it is started again', async () => {
      const { cluster, workload } = faults();
      const [manager] = cluster.managers;
      await manager!.stop();
      const disk = await onSmallDisk(manager!.storeDir, 2 * DISK_MIB);
      let refused: { status: number; body: { code?: string; detail?: string } } | undefined;
      try {
        await manager!.start();
        await faults().during(
          async () => {
            await disk.fill();
            await workload.untilMore(20);
            refused = await eventually(() => refusedWrite(manager!.url));
            await disk.free();
            await manager!.restart();
          },
          { fault: 'embedded store full' },
        );
      } finally {
        await manager!.stop();
        await disk.remove();
        await manager!.start();
      }
      expect(refused?.status).to.equal(503);
      expect(refused?.body.code).to.equal('store-unavailable');
      expect(refused?.body.detail).to.match(NO_SPACE_LEFT).and.include('restart the manager');
    });
  });
});

/** As Node words it. */
const NO_SPACE_LEFT = /ENOSPC|no space left/;

/** The second and later writes: of the first nobody knew. */
async function refusedWrite(url: string) {
  const answer = await fetch(`${url}/nodes/another`, {
    method: 'POST',
    body: JSON.stringify({ hostname: 'late', ips: ['127.0.0.1'] }),
    signal: AbortSignal.timeout(10_000),
  });
  const body = (await answer.json()) as { code?: string; detail?: string };
  if (body.code !== 'store-unavailable') throw new Error(`${answer.status} ${String(body.code)}`);
  return { status: answer.status, body };
}
