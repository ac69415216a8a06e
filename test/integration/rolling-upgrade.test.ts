// An upgrade from the release before the data plane, one program after the other: the manager first, then the agents. It needs that
// release's commit and builds it, so it runs where the long forms are asked for (CLUSTERFLUX_TEST_RUNS, `make test-all`).
import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { mkdir, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PlacementBody } from '../../shared/api/placement.js';
import { builtLauncher, checkout } from '../support/build.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import type { ClusterNode } from '../support/cluster-node.js';
import { eventually } from '../support/eventually.js';
import { countOf, read, write } from '../support/gateway/client.js';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temp-dir.js';

/** The last commit whose agents know nothing of points. */
const BEFORE = '27f93a4';
const BUILD_WITHIN_MS = 60_000;
const LAUNCHER = 'bin/clusterflux';

const run = promisify(execFile);
const isLong = process.env['CLUSTERFLUX_TEST_RUNS'] !== undefined;

// A test that is skipped fails the run, so without being asked for there is none.
if (isLong) {
  describe('an upgrade from the release before the data plane', function () {
    this.timeout(120_000);
    let directory: TemporaryDirectory;
    let cluster: TestCluster;
    let older: string;
    let newer: string;

    before('build both, and start the older one', async () => {
      directory = await temporaryDirectory('upgrade');
      await mkdir(directory.path, { recursive: true });
      newer = join(await builtLauncher(), '../..');
      older = join(directory.path, 'older');
      await buildBefore(older);
      for (const program of ['manager', 'node-1', 'node-2']) await put(program, older);
      cluster = await startCluster({ nodes: 0, launcher: launcherOf('manager') });
      for (const name of ['node-1', 'node-2']) {
        await cluster.addNode({ launcher: launcherOf(name) });
      }
      await node(1).influxd.query('CREATE DATABASE "before"');
      await node(1).influxd.write('before', 'm,at=one v=1 1700000000000000000');
      await cluster.converged();
    });
    afterEach(async function () {
      if (this.currentTest?.state === 'failed') console.log(await cluster.logTails());
    });
    after(async () => {
      await cluster.stop();
    });
    after(() => directory.remove());

    const node = (id: number): ClusterNode => cluster.nodes[id - 1]!;
    const launcherOf = (program: string) => join(directory.path, program, LAUNCHER);

    /** What a program runs from its next start on: a link, as many an installation has it. */
    async function put(program: string, release: string): Promise<void> {
      const link = join(directory.path, program);
      await symlink(release, `${link}.new`);
      await rename(`${link}.new`, link);
    }

    async function members(): Promise<readonly number[]> {
      const path = `/clusters/${cluster.name}/placement/0?wait=0s`;
      return (await cluster.managers[0]!.get<PlacementBody>(path)).members;
    }

    const stored = async ({ influxd }: ClusterNode, database: string): Promise<number> => {
      const [result] = await influxd.query('SELECT count(v) FROM m', { db: database });
      return Number(result?.series?.[0]?.values?.[0]?.[1] ?? 0);
    };

    it('the manager first: agents of before go on with it, and none of them counts for placement', async () => {
      const [manager] = cluster.managers;
      await manager!.stop();
      await put('manager', newer);
      await manager!.start();
      await node(2).influxd.query('CREATE DATABASE "between"');
      await cluster.converged();
      const path = `/clusters/${cluster.name}/placement/0?wait=0s`;
      const answer = await fetch(`${manager!.url}${path}`);
      const text = await answer.text();
      expect(text === '' ? [] : (JSON.parse(text) as PlacementBody).members).to.deep.equal([]);
    });

    it('then one agent: it counts alone, serves points, and metadata goes both ways between old and new', async () => {
      await node(1).agent.stop();
      await put('node-1', newer);
      await node(1).startAgent();
      await eventually(async () => expect(await members()).to.deep.equal([1]));
      const url = node(1).gatewayUrl;
      expect((await read(url, '', 'CREATE DATABASE "mixed"')).error).to.equal('');
      await node(2).influxd.query('CREATE DATABASE "by the older one"');
      await cluster.converged();
      expect(await node(2).influxd.names('SHOW DATABASES')).to.include('mixed');

      const { status, text } = await write(url, 'mixed', 'm,at=two v=2', { consistency: 'all' });
      expect(status, text).to.equal(204);
      expect(await countOf(url, 'mixed')).to.deep.equal({ count: 1, servedBy: 1, error: '' });
      expect(await stored(node(2), 'mixed'), 'no points go to what is no member').to.equal(0);
      // What this server had before is the cluster's now.
      expect(await countOf(url, 'before')).to.deep.equal({ count: 1, servedBy: 1, error: '' });
      await expectRefused(node(2).gatewayUrl);
    });

    it('then the other one: it counts too, answers for the cluster, and takes what is written from now on', async () => {
      await node(2).agent.stop();
      await put('node-2', newer);
      await node(2).startAgent();
      await eventually(async () => expect(await members()).to.deep.equal([1, 2]));
      await cluster.converged();
      const url = node(2).gatewayUrl;
      expect(await countOf(url, 'before')).to.deep.equal({ count: 1, servedBy: 1, error: '' });
      expect(await countOf(url, 'mixed')).to.deep.equal({ count: 1, servedBy: 1, error: '' });
      expect((await read(url, '', 'CREATE DATABASE "after"')).error).to.equal('');
      const { status, text } = await write(url, 'after', 'm,at=three v=3', { consistency: 'all' });
      expect(status, text).to.equal(204);
      for (const id of [1, 2]) {
        expect(await countOf(node(id).gatewayUrl, 'after')).to.deep.include({
          count: 1,
          error: '',
        });
        expect(await stored(node(id), 'after')).to.equal(1);
      }
    });
  });
}

/** Nobody listens there: an agent of before has no gateway. */
async function expectRefused(url: string): Promise<void> {
  const outcome = await fetch(`${url}/ping`).then(
    ({ status }) => `answered ${status}`,
    () => 'refused',
  );
  expect(outcome).to.equal('refused');
}

/** The sources of that commit, built with the packages of this checkout. */
async function buildBefore(into: string): Promise<void> {
  const archive = `${into}.tar`;
  await mkdir(into);
  const options = { cwd: checkout, timeout: BUILD_WITHIN_MS };
  await run('git', ['archive', '--output', archive, BEFORE], options);
  await run('tar', ['-x', '-f', archive, '-C', into], options);
  await symlink(join(checkout, 'node_modules'), join(into, 'node_modules'));
  await run(process.execPath, [join(into, 'tools/build.mjs')], options);
}
