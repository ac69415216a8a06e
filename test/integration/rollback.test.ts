// A cluster is rolled back, and the real servers follow: what went comes back, what came goes, and nothing that loses points
// happens without a person's word.
import { expect } from 'chai';
import { keyOf, type ObjectName } from '../../shared/meta/model.js';
import type { RollbackBody } from '../../shared/api/rollback.js';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import type { CommandResult } from '../support/command.js';

const DAY_NS = 86_400_000_000_000n;

describe('a rollback', function () {
  this.timeout(40_000);
  const cluster = useCluster({ store: 'etcd', nodes: 2 });
  const manager = () => cluster().managers[0]!;
  const nodes = () => cluster().nodes;
  const version = async () =>
    (await manager().get<{ version: number }>(`/clusters/${cluster().name}`)).version;
  const rollback = (...args: (string | number)[]): Promise<CommandResult> =>
    cluster().cli('versions', 'rollback', ...args.map(String));
  const valueOn = async (node: ClusterNode, name: ObjectName) =>
    (await node.schema()).get(keyOf(name))?.value;
  /** Runs statements on the first node and waits until everybody has what they made. */
  const change = async (...statements: string[]) => {
    for (const statement of statements) await nodes()[0]!.influxd.query(statement);
    await cluster().converged({ withoutHashes: true });
    return version();
  };

  it('brings back a dropped policy, a changed duration and a deleted user', async () => {
    // The same user with the same password: each influxd has a salt of its own.
    for (const { influxd } of nodes()) {
      await influxd.query(`CREATE USER "ann" WITH PASSWORD 'same'`);
    }
    const before = await change(
      'CREATE DATABASE "telegraf"',
      'CREATE RETENTION POLICY "week" ON "telegraf" DURATION 7d REPLICATION 1',
      'CREATE RETENTION POLICY "month" ON "telegraf" DURATION 30d REPLICATION 1',
    );
    const after = await change(
      'DROP RETENTION POLICY "week" ON "telegraf"',
      'ALTER RETENTION POLICY "month" ON "telegraf" DURATION 10d',
      'DROP USER "ann"',
    );
    const done = await rollback(before);
    expect(done.code, done.stderr).to.equal(0);
    expect(done.stdout.trim().split('\n')).to.deep.equal([
      '~ retention policy telegraf.month: duration 240h → 720h',
      '+ retention policy telegraf.week: created',
      '+ user ann: created',
    ]);
    expect(await version()).to.equal(after + 1);
    await cluster().converged({ except: ['user'] });
    for (const node of nodes()) {
      const month = await valueOn(node, { kind: 'policy', path: ['telegraf', 'month'] });
      const week = await valueOn(node, { kind: 'policy', path: ['telegraf', 'week'] });
      expect(month).to.include({ durationNs: 30n * DAY_NS });
      expect(week).to.include({ durationNs: 7n * DAY_NS });
      // No statement sets a hash, and restarts are off: it is shown, with what to do.
      const { pending } = await node.status();
      expect(pending.map(({ object }) => object)).to.deep.equal(['user ann']);
      expect(pending[0]?.reason).to.contain('hash');
    }
    await nodes()[0]!.influxd.query(`CREATE USER "ann" WITH PASSWORD 'new'`);
    await nodes()[1]!.influxd.query(`CREATE USER "ann" WITH PASSWORD 'new'`);
    await cluster().converged({ withoutHashes: true });
  });

  it('says which database would go, drops nothing without --yes, and everywhere with it', async () => {
    const before = await version();
    const after = await change('CREATE DATABASE "later"');
    await nodes()[1]!.influxd.write('later', 'm v=1');

    const look = await rollback(before, '--dry-run', '-o', 'json');
    expect(JSON.parse(look.stdout) as RollbackBody).to.deep.include({
      version: after,
      drops: [{ object: 'database later', change: 'drop' }],
      'needs-approval': false,
      'dry-run': true,
    });
    const refused = await rollback(before);
    expect(refused.code).to.equal(2);
    expect(refused.stdout).to.equal('');
    expect(refused.stderr).to.contain('lost for good: database later with all its points');
    expect(refused.stderr).to.contain('--yes');
    expect(await version()).to.equal(after);
    for (const { influxd } of nodes()) {
      expect(await influxd.names('SHOW DATABASES')).to.include('later');
    }

    const done = await rollback(before, '--yes');
    expect(done.code, done.stderr).to.equal(0);
    await cluster().converged({ withoutHashes: true });
    for (const { influxd } of nodes()) {
      expect(await influxd.names('SHOW DATABASES')).not.to.include('later');
    }
  });

  it('that loses more than the guard lets through wants the digest of exactly that list', async () => {
    const before = await version();
    const after = await change(
      'CREATE DATABASE "x1"',
      'CREATE DATABASE "x2"',
      'CREATE DATABASE "x3"',
    );
    const held = await rollback(before, '--yes');
    expect(held.code, held.stdout).to.equal(1);
    const digest = /--approve ([0-9a-f]{16})/.exec(held.stderr)?.[1] ?? '';
    for (const name of ['x1', 'x2', 'x3']) expect(held.stderr).to.contain(`database ${name} with`);
    const wrong = await rollback(before, '--yes', '--approve', '0123456789abcdef');
    expect(wrong.code).to.equal(1);
    expect(await version()).to.equal(after);
    const done = await rollback(before, '--yes', '--approve', digest);
    expect(done.code, done.stderr).to.equal(0);
    await cluster().converged({ withoutHashes: true });
    expect(await nodes()[0]!.influxd.names('SHOW DATABASES')).not.to.include('x1');
  });

  it('gives way to a change that came in between', async () => {
    const before = await version();
    await change('CREATE DATABASE "meanwhile"');
    const answer = await fetch(`${manager().url}/clusters/${cluster().name}/rollback`, {
      method: 'POST',
      body: JSON.stringify({ to: 1, expect: before }),
      signal: AbortSignal.timeout(5_000),
    });
    expect(answer.status).to.equal(409);
    const known = await rollback(999);
    expect(known.code, known.stderr).to.equal(6);
  });
});

describe('versions diff', function () {
  this.timeout(40_000);
  const cluster = useCluster({ nodes: 2 });

  it('shows what changed between two versions, and between one and what a live server has', async () => {
    const [first, second] = cluster().nodes;
    await first!.influxd.query('CREATE DATABASE "telegraf"');
    await cluster().converged();
    const { version } = await cluster().managers[0]!.get<{ version: number }>(
      `/clusters/${cluster().name}`,
    );
    const from = String(version);
    await second!.influxd.query('ALTER RETENTION POLICY "autogen" ON "telegraf" DURATION 30d');
    await cluster().converged();
    const line = '~ retention policy telegraf.autogen: duration inf → 720h';
    const diff = await cluster().cli('versions', 'diff', from, String(version + 1), '--exit-code');
    expect([diff.code, diff.stdout.trim()]).to.deep.equal([1, line]);
    for (const [index, node] of cluster().nodes.entries()) {
      const { node: id } = await node.status();
      const live = await node.cli('versions', 'diff', from, `live:${id}`);
      expect(live.stdout.trim(), `node ${index}: ${live.stderr}`).to.equal(line);
      const same = await node.cli(
        'versions',
        'diff',
        String(version + 1),
        `live:${id}`,
        '--exit-code',
      );
      expect([same.code, same.stdout]).to.deep.equal([0, '']);
    }
  });
});
