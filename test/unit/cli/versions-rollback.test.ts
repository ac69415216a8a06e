// versions rollback against a manager in this process: what it prints, when it wants --yes, and its exit codes.
import { expect } from 'chai';
import { startTestManager, type TestManager } from '../../support/manager.js';
import { database, policy, snapshotOf, snapshotWith, user } from '../../support/snapshots.js';
import { run } from './support.js';

describe('versions rollback', () => {
  let manager: TestManager;
  beforeEach(async () => {
    manager = await startTestManager({ listen: true });
    await write(0, snapshotWith('a'));
    await write(1, snapshotWith('a', 'b'));
  });
  afterEach(() => manager.close());

  const write = (version: number, payload: Buffer) =>
    manager.app.inject({ method: 'PUT', url: `/clusters/c/versions/${version}`, payload });
  const rollback = (...args: string[]) =>
    run(['versions', 'rollback', ...args, '--cluster', 'c', '--manager', manager.url]);
  const version = async () => {
    const { payload } = await manager.app.inject({ url: '/clusters/c' });
    return (JSON.parse(payload) as { version: number }).version;
  };

  it('shows what would change with --dry-run, and changes nothing', async () => {
    const { exitCode, stdout, stderr } = await rollback('1', '--dry-run');
    expect(exitCode).to.equal(0);
    expect(stdout).to.equal('- database b: dropped\n- retention policy b.autogen: dropped\n');
    expect(stderr).to.contain('would be rolled back from version 2 to 1; nothing was changed');
    expect(stderr).to.contain('lost for good: database b with all its points');
    expect(await version()).to.equal(2);
  });

  it('wants --yes where something goes (2), and does it with that', async () => {
    const refused = await rollback('1');
    expect([refused.exitCode, refused.stdout]).to.deep.equal([2, '']);
    expect(refused.stderr).to.contain('- database b: dropped');
    expect(refused.stderr).to.contain('add --yes to do it');
    expect(await version()).to.equal(2);
    const done = await rollback('1', '--yes');
    expect([done.exitCode, await version()]).to.deep.equal([0, 3]);
    expect(done.stderr).to.contain('cluster c is at version 3, with the content of 1');
  });

  it('wants --yes for a user as well, who has no points', async () => {
    const databases = ['a', 'b'].flatMap((name) => [database(name), policy(name, 'autogen')]);
    await write(2, snapshotOf(...databases, user('ann')));
    await write(3, snapshotOf(...databases));
    expect((await rollback('3')).exitCode).to.equal(0);
    const refused = await rollback('4');
    expect(refused.exitCode).to.equal(2);
    expect(refused.stderr).to.contain('- user ann: dropped');
    expect(refused.stderr).not.to.contain('lost for good');
  });

  it('needs no --yes where nothing goes', async () => {
    await write(2, snapshotWith('a'));
    const { exitCode, stdout } = await rollback('2');
    expect([exitCode, await version()]).to.deep.equal([0, 4]);
    expect(stdout).to.contain('+ database b: created');
  });

  it('says so where the content is that already', async () => {
    const { exitCode, stderr } = await rollback('2');
    expect([exitCode, await version()]).to.deep.equal([0, 2]);
    expect(stderr).to.contain('has the content of version 2 already');
  });

  it('wants the digest of what the guard holds too (1), with --yes or without', async () => {
    await write(2, snapshotWith('a', 'b', 'c'));
    const refused = await rollback('1', '--yes');
    expect(refused.exitCode).to.equal(1);
    expect(refused.stderr).to.contain('lost for good: database b with all its points');
    const digest = /--approve ([0-9a-f]{16})/.exec(refused.stderr)?.[1] ?? '';
    expect((await rollback('1', '--approve', digest)).exitCode).to.equal(2);
    expect((await rollback('1', '--yes', '--approve', 'ffffffffffffffff')).exitCode).to.equal(1);
    expect(await version()).to.equal(3);
    expect((await rollback('1', '--yes', '--approve', digest)).exitCode).to.equal(0);
  });

  it('prints the answer of the API with -o json', async () => {
    const { stdout } = await rollback('1', '--yes', '-o', 'json');
    expect(JSON.parse(stdout)).to.include({ version: 3, 'dry-run': false });
  });

  it('knows what is not kept (6), not a version (2), and where nobody answers (4)', async () => {
    expect((await rollback('9')).exitCode).to.equal(6);
    expect((await rollback('x')).exitCode).to.equal(2);
    const nobody = ['--manager', 'http://127.0.0.1:1', '--cluster', 'c'];
    expect((await run(['versions', 'rollback', '1', ...nobody])).exitCode).to.equal(4);
  });
});
