// Absence is not a deletion: whatever happens to a node's meta.db, its state directory or the manager's store, nothing is
// dropped anywhere that nobody dropped, and what is in doubt is held or said.
import { expect } from 'chai';
import { encodeSnapshot } from '../../../../shared/meta/codec.js';
import { emptyData } from '../../../../shared/meta/snapshot.js';
import { digestOfHeld } from '../../../../agent/sync/held.js';
import type { SimulatedCluster, SimulatedNode } from '../../../support/simulated-node.js';
import { simulate } from '../../../support/simulated-node.js';

const DAY_NS = 86_400_000_000_000n;

interface Stage {
  readonly cluster: SimulatedCluster;
  readonly a: SimulatedNode;
  readonly b: SimulatedNode;
}

/** Two nodes in step, with databases x and y, points in each of them on both nodes. */
async function inStep(settings = {}): Promise<Stage> {
  const cluster = simulate(2, { settings });
  const [a, b] = cluster.nodes as [SimulatedNode, SimulatedNode];
  a.user('CREATE DATABASE "x"');
  b.user('CREATE DATABASE "y"');
  await cluster.settle();
  for (const node of [a, b]) {
    for (const name of ['x', 'y']) node.influx.write(name, undefined, 20_000n * DAY_NS);
  }
  await cluster.settle();
  return { cluster, a, b };
}

/** Everything that was there is there, on both nodes and in the cluster. */
function expectWhole({ a, b }: Stage, lines: readonly string[]): void {
  for (const node of [a, b]) expect(node.lines).to.include.members([...lines]);
}

function damage(b: SimulatedNode, file: Uint8Array | undefined, wipesDisk: boolean): void {
  b.influx.kill();
  b.influx.replaceFile(file);
  if (wipesDisk) b.influx.disk.clear();
  b.influx.start();
}

describe('damaged, lost and foreign meta.db files', () => {
  it('a server that was wiped, data and all, gets the schema back', async () => {
    const all = await inStep();
    const { lines } = all.a;
    damage(all.b, undefined, true);
    await all.cluster.settle();
    expectWhole(all, lines);
    expect(all.a.influx.disk.size, 'points of the other node').to.equal(2);
  });

  it('a fresh meta.db beside old shards blocks that node: nothing is created there, nothing dropped elsewhere', async () => {
    const all = await inStep();
    const before = all.a.lines;
    damage(all.b, undefined, false);
    const report = await all.b.tick();
    expect(report.outcome).to.equal('blocked');
    expect(report.sentence).to.match(
      /shard 1 of x\.autogen loaded, but its metadata does not list it/,
    );
    expect(report.sentence).to.match(/agent restore/);
    expect(all.b.lines).to.deep.equal([]);
    await all.a.tick();
    expect(all.a.lines).to.deep.equal(before);
    expect(all.b.influx.disk.size, 'nothing was written into the old directories').to.equal(2);
  });

  it('an older meta.db, put back, loses nothing and drops nothing', async () => {
    const all = await inStep();
    const old = all.b.influx.fileBytes()!;
    all.a.user('CREATE DATABASE "z"');
    await all.cluster.settle();
    const { lines } = all.a;
    damage(all.b, old, false);
    await all.cluster.settle();
    expectWhole(all, lines);
  });

  it('an older meta.db that was used until its Index passed the last seen one is noticed', async () => {
    const all = await inStep();
    const old = all.b.influx.fileBytes()!;
    all.b.user('CREATE DATABASE "z"');
    all.b.influx.write('z', undefined, 20_000n * DAY_NS);
    await all.cluster.settle();
    const { lines } = all.a;
    damage(all.b, old, false);
    for (let count = 0; count < 30; count += 1) {
      all.b.user('ALTER RETENTION POLICY "autogen" ON "x" REPLICATION 1');
    }
    await all.b.tick();
    await all.a.tick();
    expect(all.a.lines).to.deep.equal(lines);
    expect(all.a.influx.data.Databases.map(({ Name }) => Name)).to.include('z');
  });

  it('a copy of the other node is noticed, and drops nothing', async () => {
    const all = await inStep();
    all.b.user('CREATE DATABASE "only-b-has-points"');
    all.b.influx.write('only-b-has-points', undefined, 20_000n * DAY_NS);
    await all.cluster.settle();
    const { lines } = all.a;
    damage(all.b, all.a.influx.fileBytes(), false);
    await all.b.tick();
    await all.a.tick();
    expect(all.a.lines).to.deep.equal(lines);
    expect(all.b.influx.disk.size).to.equal(3);
  });

  it('a foreign server with databases of its own joins by union', async () => {
    const all = await inStep();
    const foreign = simulate(1).nodes[0]!;
    foreign.user('CREATE DATABASE "foreign"');
    damage(all.b, foreign.influx.fileBytes(), true);
    await all.cluster.settle();
    expect(all.a.lines.some((line) => line.includes('foreign'))).to.equal(true);
    expect(all.a.lines).to.deep.equal(all.b.lines);
  });

  for (const [what, bytes] of [
    ['empty', Buffer.alloc(0)],
    ['torn', Buffer.from([8, 0, 16])],
    ['garbage', Buffer.from('not a meta.db')],
  ] as const) {
    it(`an ${what} file under a stopped influxd is an error that says so, and nothing else`, async () => {
      const all = await inStep();
      const { lines } = all.a;
      all.b.influx.kill();
      all.b.influx.replaceFile(bytes);
      const offline = await all.b.tick({ offline: true });
      expect(offline.outcome).to.equal('failed');
      expect(offline.sentence).to.match(/reading meta\.db: .*agent restore/);
      expect((await all.b.tick()).outcome).to.equal('waiting');
      await all.a.tick();
      expect(all.a.lines).to.deep.equal(lines);
    });
  }

  it('a drop is not believed while a shard of the database is still loaded', async () => {
    const all = await inStep();
    const { lines } = all.a;
    // The metadata lost y by somebody's hand, and everything else speaks for a true drop.
    const data = all.b.influx.data;
    data.Databases = data.Databases.filter(({ Name }) => Name !== 'y');
    data.Index += 1n;
    damage(all.b, encodeSnapshot(data), false);
    const report = await all.b.tick();
    expect(report.pending[0]?.reason).to.match(/database y: .*still has its shard \d+ loaded/);
    await all.a.tick();
    expect(all.a.lines).to.deep.equal(lines);
  });
});

describe('joining', () => {
  it('a lost state directory joins by union and changes nothing', async () => {
    const all = await inStep();
    const { lines } = all.a;
    const versions = all.cluster.manager.history('sim').length;
    all.b.loseState();
    await all.cluster.settle();
    expect(all.b.lines).to.deep.equal(lines);
    expect(all.cluster.manager.history('sim').length).to.equal(versions);
  });

  it('holds what the cluster dropped while nobody here could know of it', async () => {
    const all = await inStep();
    all.b.loseState();
    all.a.user('DROP DATABASE "x"');
    await all.a.tick();
    const report = await all.b.tick();
    expect(report.held.map(({ why }) => why)).to.deep.include(
      'database x: only on this joining server, and dropped in the cluster at version 3',
    );
    expect(report.held[0]?.command).to.match(/meta approve 2 --keep, or .* --drop/);
    await all.cluster.settle();
    expect(
      all.b.lines.some((line) => line.includes('"x"')),
      'kept here',
    ).to.equal(true);
    expect(
      all.a.lines.some((line) => line.includes('"x"')),
      'not brought back there',
    ).to.equal(false);
  });

  for (const decision of ['keep', 'drop'] as const) {
    it(`does with what is held what a person decides: ${decision}`, async () => {
      const all = await inStep();
      const { lines } = all.a;
      all.b.loseState();
      all.a.user('DROP DATABASE "x"');
      await all.cluster.settle();
      all.b.approval = { digest: digestOfHeld(all.b.reconciler.lastReport!.held), decision };
      await all.cluster.settle();
      const left = lines.filter((line) => decision === 'keep' || !line.includes('"x"'));
      expect(all.a.lines).to.deep.equal(left);
      expect(all.b.lines).to.deep.equal(left);
      expect(all.b.reconciler.lastReport?.held).to.deep.equal([]);
      expect(all.b.influx.disk.size, 'points').to.equal(decision === 'keep' ? 2 : 1);
    });
  }

  it('ends a hold when the cluster has the object again, and when it goes here', async () => {
    const all = await inStep();
    all.b.loseState();
    all.a.user('DROP DATABASE "x"');
    all.a.user('DROP DATABASE "y"');
    await all.a.tick();
    await all.b.tick();
    all.a.user('CREATE DATABASE "x"');
    all.b.user('DROP DATABASE "y"');
    await all.cluster.settle();
    expect(all.b.reconciler.lastReport?.held).to.deep.equal([]);
    expect(all.a.lines).to.deep.equal(all.b.lines);
  });

  it('of two durations keeps the longer one', async () => {
    for (const [here, there] of [
      ['24h', '48h'],
      ['48h', '24h'],
      ['INF', '24h'],
      ['24h', 'INF'],
    ]) {
      const cluster = simulate(2);
      const [a, b] = cluster.nodes as [SimulatedNode, SimulatedNode];
      a.user(`CREATE DATABASE "x" WITH DURATION ${here} REPLICATION 1 NAME "p"`);
      b.user(`CREATE DATABASE "x" WITH DURATION ${there} REPLICATION 1 NAME "p"`);
      await cluster.settle();
      expect(a.lines).to.deep.equal(b.lines);
      const longer = [here, there].includes('INF') ? '"0"' : '"172800000000000"';
      expect(a.lines.join(), `${here} and ${there}`).to.include(`["durationNs",${longer}]`);
    }
  });

  it('holds users that only the joining server has, once the cluster has users', async () => {
    const cluster = simulate(2);
    const [a, b] = cluster.nodes as [SimulatedNode, SimulatedNode];
    a.user(`CREATE USER "alice" WITH PASSWORD 'a'`);
    await a.tick();
    await a.tick();
    b.user(`CREATE USER "mallory" WITH PASSWORD 'm'`);
    const report = await b.tick();
    expect(report.held.map(({ why }) => why)).to.deep.equal([
      'user mallory: a user that only this joining server has',
    ]);
    expect(report.pending.map(({ reason }) => reason).join()).to.match(/user alice: .*hash/);
    expect(cluster.manager.newest('sim')?.schema.size).to.equal(1);
  });

  it('knows a user that every node has under another salt: privileges, flags and drops go on', async () => {
    const cluster = simulate(3);
    const [a, b, c] = cluster.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
    a.user('CREATE DATABASE "x"');
    await cluster.settle();
    for (const node of cluster.nodes) node.user(`CREATE USER "u" WITH PASSWORD 'same'`);
    await cluster.settle();
    b.user('GRANT READ ON "x" TO "u"');
    c.user('GRANT ALL PRIVILEGES TO "u"');
    await cluster.settle();
    for (const { lines } of cluster.nodes) {
      expect(lines.filter((line) => /privilege.*"level",1/.test(line))).to.have.length(1);
      expect(lines.filter((line) => /"user".*"admin",true/.test(line))).to.have.length(1);
    }
    expect(b.reconciler.lastReport?.pending.map(({ reason }) => reason).join()).to.match(/hash/);
    c.user('DROP USER "u"');
    await cluster.settle();
    for (const { lines } of cluster.nodes) expect(lines.join()).not.to.include('"u"');
  });

  it('join = "pull" shares nothing of the joining server, and says so', async () => {
    const cluster = simulate(2, { settings: { join: 'pull' } });
    const [a, b] = cluster.nodes as [SimulatedNode, SimulatedNode];
    b.user('CREATE DATABASE "mine"');
    await a.tick();
    await b.tick();
    await cluster.settle();
    expect(a.lines).to.deep.equal([]);
    expect(b.reconciler.lastReport?.held[0]?.why).to.match(/agent\.join = "pull"/);
    // What is created after the join is shared.
    b.user('CREATE DATABASE "later"');
    await cluster.settle();
    expect(a.influx.data.Databases.map(({ Name }) => Name)).to.deep.equal(['later']);
  });

  it('notes and says a join that is held up once, not at every tick', async () => {
    const all = await inStep();
    all.b.startAgent({ join: 'refuse' });
    all.cluster.manager.restoreStoreTo('sim', 1);
    all.cluster.manager.deleteCluster('sim');
    all.cluster.manager.commit('sim', encodeSnapshot(emptyData()));
    const appended: string[] = [];
    all.b.observer = {
      looked: () => undefined,
      executed: () => undefined,
      written: () => undefined,
      appended: (records) => appended.push(...records.map(({ record }) => record)),
    };
    for (let count = 0; count < 5; count += 1) {
      expect((await all.b.tick()).outcome).to.equal('blocked');
    }
    expect(appended).to.deep.equal(['join']);
  });

  it('holds everything local-only of a node that was away since before tombstones were swept', async () => {
    let days = 0;
    const cluster = simulate(2, {
      timeOf: () => new Date(Date.UTC(2026, 0, 1 + days)).toISOString(),
    });
    const [a, b] = cluster.nodes as [SimulatedNode, SimulatedNode];
    a.user('CREATE DATABASE "x"');
    await cluster.settle();
    a.user('DROP DATABASE "x"');
    await a.tick();
    b.influx.kill();
    b.influx.start();
    // b did not see the drop; more than 90 days later its meta.db is another one, with x in it.
    days = 100;
    a.user('CREATE DATABASE "y"');
    await a.tick();
    const stranger = simulate(1).nodes[0]!;
    stranger.user('CREATE DATABASE "x"');
    damage(b, stranger.influx.fileBytes(), true);
    const report = await b.tick();
    expect(report.held[0]?.why).to.match(/away for longer than the cluster remembers drops/);
  });

  it('join = "refuse" waits for a person', async () => {
    const all = await inStep();
    const guest = simulate(1, { settings: { join: 'refuse' } });
    const [node] = guest.nodes as [SimulatedNode];
    guest.manager.commit('sim', encodeSnapshot(emptyData()));
    const report = await node.tick();
    expect(report.outcome).to.equal('blocked');
    expect(report.sentence).to.match(/agent\.join = "refuse" asks for a person/);
    expect(all.a.lines.length).to.be.greaterThan(0);
  });
});

describe('a store that is not the one of yesterday', () => {
  it('is filled again by the nodes when it was lost; nothing is dropped', async () => {
    const all = await inStep();
    const { lines } = all.a;
    all.cluster.manager.deleteCluster('sim');
    await all.cluster.settle();
    expectWhole(all, lines);
    expect(all.cluster.manager.newest('sim')?.schema.size).to.equal(lines.length);
  });

  it('is brought forward when it was restored from a backup, even where it runs past the old number', async () => {
    const all = await inStep();
    const yesterday = all.cluster.manager.history('sim').length;
    all.a.user('CREATE DATABASE "new"');
    await all.cluster.settle();
    const { lines } = all.a;
    all.cluster.manager.restoreStoreTo('sim', yesterday);
    all.a.user('CREATE DATABASE "newer"');
    all.a.user('CREATE DATABASE "newest"');
    await all.cluster.settle();
    expectWhole(all, lines);
    expect(all.a.lines).to.deep.equal(all.b.lines);
  });
});
