// The disk under the hints of one agent runs full while an owner is away: writes whose level is reached go on, the owner is known
// to lack them from then on, and a person who has brought them there says so. Needs root, for a small file system.
import { expect } from 'chai';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';
import { onSmallDisk, whyNoMounts, type SmallDisk } from '../support/fault/disks.js';
import { runOn, SentPoints, untilDirect, untilDrained } from '../support/gateway/sent-points.js';

const DISK_MIB = 8;

describe('the disk of the hints is full', function () {
  this.timeout(90_000);
  before(async function () {
    const why = await whyNoMounts();
    if (why === undefined) return;
    console.log(`    skipped: ${why}`);
    this.skip();
  });
  let disk: SmallDisk | undefined;
  // Before the cluster's own end, which removes the directory.
  after(async () => {
    if (disk === undefined) return;
    await cluster().nodes[0]!.agent.kill9();
    await disk.remove();
  });
  const cluster = useCluster({
    config: {
      // The default is more than the small disk has.
      handoff: { 'min-free': '1B', 'retry-interval': '50ms', 'retry-max-interval': '200ms' },
    },
  });
  let points: SentPoints;

  before(async () => {
    const [first] = cluster().nodes;
    await first!.agent.stop();
    const hints = join(first!.stateDir, 'hints');
    await mkdir(hints, { recursive: true });
    disk = await onSmallDisk(hints, DISK_MIB);
    await first!.startAgent();
    await runOn(first!, 'CREATE DATABASE full');
    points = new SentPoints('full');
    await untilDirect(points, cluster().nodes);
  });

  it('writes go on, and the owner that lacks them is read again when a person has marked it', async () => {
    const [first, second, third] = cluster().nodes as [ClusterNode, ClusterNode, ClusterNode];
    const [away] = await Promise.all([idOf(third), third.influxd.kill9()]);
    expect((await points.acknowledge(first)).hinted, 'while there is room').to.equal(1);
    await disk!.fill();

    // The newest file has been given its blocks perhaps: a few hints may still fit in.
    await eventually(async () => {
      const { hinted } = await points.acknowledge(first, { level: 'one', count: 50 });
      expect(hinted).to.equal(0);
    });
    expect((await points.acknowledge(first, { level: 'quorum' })).applied).to.equal(2);
    const all = await points.send(first, { level: 'all' });
    expect([all.status, all.code, all.retry]).to.deep.equal([503, 'level-not-reached', 'safe']);

    expect(await listedIncomplete()).to.match(
      new RegExp(`${away}.*(no space is left for hints|bytes are free)`),
    );
    await third.influxd.start();
    await untilDrained([first]);
    for (const node of [first, second, third]) {
      expect((await points.untilRead(node)).servedBy).to.not.equal(away);
    }

    await disk!.free();
    await eventually(async () => {
      const { applied } = await points.acknowledge(first, { level: 'all' });
      expect(applied).to.equal(3);
    });
    expect((await points.untilRead(third)).servedBy, 'nobody has marked it').to.not.equal(away);

    await third.influxd.write('full', points.linesOf(await points.numbersOn(first)));
    const marked = await cluster().cli('shards', 'mark', String(away), 'complete', '--yes');
    expect(marked.code, marked.stderr).to.equal(0);
    await eventually(async () => expect((await points.read(third)).servedBy).to.equal(away));
    await points.untilEverywhere([first, second, third]);
  });

  /** As people see it: one line per owner that is not complete. */
  async function listedIncomplete(): Promise<string> {
    const { stdout, stderr } = await cluster().cli('shards', 'list', '-o', 'wide');
    const lines = stdout.split('\n').filter((line) => line.includes(' no '));
    expect(lines, `${stdout}${stderr}`).to.have.lengthOf(1);
    return lines[0] ?? '';
  }

  async function idOf(node: ClusterNode): Promise<number> {
    return (await node.status()).node ?? 0;
  }
});
