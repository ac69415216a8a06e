// Events on real servers, followed by the command line across a restart of the manager and the death of an agent.
import { expect } from 'chai';
import { join } from 'node:path';
import type { EventBody } from '../../shared/api/events.js';
import { builtLauncher } from '../support/build.js';
import { useCluster } from '../support/cluster-suite.js';
import { cleanEnvironment } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { Program } from '../support/program.js';

describe('events that a person follows', function () {
  this.timeout(40_000);
  const cluster = useCluster({ nodes: 1 });
  let follower: Program;

  before(async () => {
    const { dir, managers, name } = cluster();
    follower = new Program({
      name: 'follower',
      launcher: await builtLauncher(),
      args: () => [
        ...['events', '--follow', '--since', '0', '-o', 'json'],
        ...['--cluster', name, '--manager', managers[0]!.url],
      ],
      env: cleanEnvironment(dir),
      cwd: dir,
      readyFile: join(dir, 'follower.none'),
      logFile: join(dir, 'follower.log'),
    });
    await follower.launch();
  });
  after(() => follower.kill9());

  async function seen(): Promise<EventBody[]> {
    const lines = (await follower.log()).split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line) as EventBody);
  }
  const seenText = (pattern: RegExp) =>
    eventually(
      async () => {
        const found = (await seen()).filter(({ text }) => pattern.test(text));
        expect(found, await follower.log()).to.have.lengthOf(1);
        return found[0]!;
      },
      { withinMs: 10_000 },
    );

  it('show registrations, and versions with what changed', async () => {
    await seenText(/^node 1 \(.*\) was registered$/);
    await cluster().nodes[0]!.influxd.query('CREATE DATABASE "first"');
    const event = await seenText(/database first: created/);
    expect(event).to.deep.include({ kind: 'version', node: 1, cluster: 'test' });
  });

  it('do not keep a manager from stopping, and go on when it is back', async () => {
    const [manager] = cluster().managers;
    const { tookMs } = (await manager!.stop())!;
    expect(tookMs).to.be.lessThan(3_000);
    await manager!.start();
    await cluster().nodes[0]!.influxd.query('CREATE DATABASE "second"');
    await seenText(/database second: created/);
  });

  it('show a node that is lost and comes back, and have ids without gaps', async () => {
    const { agent } = cluster().nodes[0]!;
    await agent.kill9();
    await seenText(/^node 1 \(.*\) has sent no heartbeat for 2 s$/);
    await cluster().nodes[0]!.startAgent();
    await seenText(/^node 1 is back/);
    const ids = (await seen()).map(({ id }) => id);
    expect(ids).to.deep.equal(ids.map((_, index) => index + 1));
    const listed = await cluster().cli('events', '--kind', 'node-lost', '-o', 'json');
    expect(JSON.parse(listed.stdout)).to.have.lengthOf(1);
  });
});
