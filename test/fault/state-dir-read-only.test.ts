// The agent's state directory turns read-only, as a file system does after an error: before the agent starts, and while it runs.
import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../support/eventually.js';
import { readOnly, whyNoMounts } from '../support/fault/disks.js';
import { useFaultCluster } from '../support/fault/fault-suite.js';

describe('the state directory of an agent is read-only', function () {
  this.timeout(90_000);
  const faults = useFaultCluster();
  before(async function () {
    // Permissions do not keep root out, and others can't mount.
    const why = process.getuid?.() === 0 ? await whyNoMounts() : undefined;
    if (why === undefined) return;
    console.log(`    skipped: ${why}`);
    this.skip();
  });

  it('at its start: it says so in one sentence and touches nothing', async () => {
    const { cluster, random } = faults();
    const node = random.pick(cluster.nodes);
    await node.agent.stop();
    const sessions = await registrations(faults().cluster.managers[0]!.url);
    const writable = await readOnly(node.stateDir);
    try {
      const said = (await node.agent.log()).length;
      await node.launchAgent();
      expect((await node.agent.untilEnded()).code).to.equal(1);
      const words = (await node.agent.log()).slice(said);
      expect(words)
        .to.include(node.stateDir)
        .and.match(/read-only|EROFS|permission|EACCES/);
      expect(await registrations(cluster.managers[0]!.url)).to.equal(sessions);
    } finally {
      await writable();
      await node.startAgent();
    }
  });

  it('while it runs: what it can not note it does not do, and started again it goes on', async () => {
    const { cluster, random, workload } = faults();
    const node = random.pick(cluster.nodes);
    const { pid } = node.agent;
    await faults().during(
      async () => {
        const log = join(node.stateDir, 'base.log');
        // The agent has its log open already, which a read-only mount does not change.
        const isFrozen = await immutable(log, true);
        const writable = await readOnly(node.stateDir);
        try {
          await workload.untilMore(20);
          if (isFrozen) {
            await eventually(
              async () => expect((await node.status()).sentence).to.include('takes no changes'),
              { withinMs: 10_000 },
            );
          }
          expect(node.agent.pid, 'the agent did not exit').to.equal(pid);
        } finally {
          await writable();
          await immutable(log, false);
        }
        // Nobody knows what such a disk holds, so the agent asks for it: "then start the agent again".
        await node.restartAgent();
      },
      { fault: 'state directory read-only' },
    );
  });
});

/** When each node has registered, as the managers list it. */
async function registrations(url: string): Promise<string> {
  const answer = await fetch(`${url}/nodes/test`, { signal: AbortSignal.timeout(5_000) });
  const nodes = (await answer.json()) as { id: number; session?: string }[];
  return JSON.stringify(nodes.map(({ id, session }) => [id, session]));
}

/** False where the file system does not know this, or we may not. */
async function immutable(file: string, isOn: boolean): Promise<boolean> {
  return promisify(execFile)('chattr', [isOn ? '+i' : '-i', file], { timeout: 5_000 }).then(
    () => true,
    () => false,
  );
}
