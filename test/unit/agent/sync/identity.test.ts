// The losses that an exhaustive model found in a simpler reconciler (one base, written last; identity by name) are tests by
// name here, on the real planner and its real steps; and a search of our own over random interleavings, deaths and lost
// replies, judged by the same ghost.
import { expect } from 'chai';
import fc from 'fast-check';
import { IdentityGhost } from '../../../support/identity-ghost.js';
import type { SimulatedCluster, SimulatedNode } from '../../../support/simulated-node.js';
import { simulate } from '../../../support/simulated-node.js';

interface Stage {
  readonly cluster: SimulatedCluster;
  readonly ghost: IdentityGhost;
  readonly a: SimulatedNode;
  readonly b: SimulatedNode;
}

async function stage(start: 'present' | 'absent'): Promise<Stage> {
  const cluster = simulate(2);
  const ghost = new IdentityGhost(cluster);
  const [a, b] = cluster.nodes as [SimulatedNode, SimulatedNode];
  if (start === 'present') {
    ghost.create(a, 'x');
    await cluster.settle();
    b.influx.write('x', undefined, 0n);
    await cluster.settle();
  }
  return { cluster, ghost, a, b };
}

async function endsWell({ cluster, ghost, a, b }: Stage, expected: 'x is there' | 'x is gone') {
  await cluster.settle();
  expect(ghost.violations).to.deep.equal([]);
  expect(ghost.zombies()).to.deep.equal([]);
  expect(a.lines).to.deep.equal(b.lines);
  expect(a.lines.length > 0, 'x is there').to.equal(expected === 'x is there');
}

describe('traces on which a simpler reconciler loses data', () => {
  it('a database is dropped and re-created on one node between two looks', async () => {
    const all = await stage('present');
    all.ghost.drop(all.a, 'x');
    all.ghost.create(all.a, 'x');
    await endsWell(all, 'x is there');
    expect(all.a.influx.disk.size, 'the new points').to.equal(1);
    expect(all.b.influx.disk.size, 'the old points of the other node').to.equal(0);
  });

  it('the agent dies between its accepted drop and its base, and the user has re-created the database', async () => {
    const all = await stage('present');
    all.ghost.drop(all.a, 'x');
    all.a.once('write', () => all.ghost.create(all.a, 'x'));
    await all.a.tickAndDie(5, true); // refresh, look, shards, note, write: accepted, then dead
    await endsWell(all, 'x is there');
    expect(all.a.influx.disk.size).to.equal(1);
  });

  it('the reply to an accepted drop is lost, and the user has re-created the database', async () => {
    const all = await stage('present');
    all.ghost.drop(all.a, 'x');
    all.a.once('write', () => all.ghost.create(all.a, 'x'));
    all.a.api.loseNextReply();
    await all.a.tick();
    await endsWell(all, 'x is there');
    expect(all.a.influx.disk.size).to.equal(1);
  });

  it('one node drops and re-creates, the other drops the old one', async () => {
    const all = await stage('present');
    all.ghost.drop(all.a, 'x');
    all.ghost.create(all.a, 'x');
    all.ghost.drop(all.b, 'x');
    await all.b.tick();
    await all.a.tick();
    await endsWell(all, 'x is there');
    expect(all.a.influx.disk.size).to.equal(1);
  });

  it('a database that was created and dropped while its creation was pushed, and the agent died, stays dropped', async () => {
    const all = await stage('absent');
    await all.cluster.settle();
    all.ghost.create(all.a, 'x');
    all.a.once('write', () => all.ghost.drop(all.a, 'x'));
    await all.a.tickAndDie(4, true); // refresh, look, note, write
    await endsWell(all, 'x is gone');
  });

  it('a database that was created and dropped while its creation was pushed, and the reply was lost, stays dropped', async () => {
    const all = await stage('absent');
    await all.cluster.settle();
    all.ghost.create(all.a, 'x');
    all.a.once('write', () => all.ghost.drop(all.a, 'x'));
    all.a.api.loseNextReply();
    await all.a.tick();
    await endsWell(all, 'x is gone');
  });

  it('two users create the same name, and one of them drops his before the agents have met: a minute of grace', async () => {
    const all = await stage('absent');
    await all.cluster.settle();
    all.a.user('CREATE DATABASE "x"');
    all.b.user('CREATE DATABASE "x"');
    await all.a.tick();
    all.a.user('DROP DATABASE "x"');
    await all.b.tick();
    await all.a.tick();
    const report = await all.b.tick();
    expect(all.b.lines, 'still there').not.to.deep.equal([]);
    expect(report.pending[0]?.reason).to.match(/created twice/);
    await all.cluster.settle(); // a minute passes
    expect(all.b.lines).to.deep.equal([]);
  });

  it('an altered continuous query is dropped here, and the agent dies before it creates it anew', async () => {
    const all = await stage('present');
    const query = (every: string) =>
      `CREATE CONTINUOUS QUERY "q" ON "x" BEGIN SELECT mean(v) INTO x.autogen.m FROM x.autogen.n GROUP BY time(${every}) END`;
    all.a.user(query('1h'));
    await all.cluster.settle();
    all.a.user('DROP CONTINUOUS QUERY "q" ON "x"');
    all.a.user(query('2h'));
    await all.a.tick();
    for (let step = 1; step <= 12; step += 1) await all.b.tickAndDie(step, step % 2 === 0);
    await all.cluster.settle();
    for (const node of [all.a, all.b]) {
      expect(
        node.lines.filter((line) => line.includes('2h')),
        node.lines.join(),
      ).to.have.length(1);
    }
  });

  it('a database that was dropped here is re-created there before the drop is shared', async () => {
    const all = await stage('present');
    all.ghost.drop(all.b, 'x');
    all.ghost.drop(all.a, 'x');
    await all.a.tick();
    all.ghost.create(all.a, 'x');
    await all.a.tick();
    await all.b.tick();
    await endsWell(all, 'x is there');
    expect(all.a.influx.disk.size, 'the new points').to.equal(1);
  });

  it('the agent saw the drop and died before it shared it, and the user has re-created the database', async () => {
    const all = await stage('present');
    all.ghost.drop(all.a, 'x');
    for (let step = 1; step <= 4; step += 1) await all.a.tickAndDie(step, true);
    all.ghost.create(all.a, 'x');
    await endsWell(all, 'x is there');
    expect(all.a.influx.disk.size, 'the new points').to.equal(1);
    expect(all.b.influx.disk.size, 'the old points of the other node').to.equal(0);
  });

  it('nothing is dropped here while no manager can be asked whether it is still to be dropped', async () => {
    const all = await stage('present');
    all.ghost.drop(all.a, 'x');
    await all.a.tick();
    await all.b.remoteView.refresh(new AbortController().signal);
    all.cluster.manager.setAvailable(false);
    expect((await all.b.tick()).outcome).to.equal('waiting');
    expect(all.b.lines).not.to.deep.equal([]);
    all.cluster.manager.setAvailable(true);
    await endsWell(all, 'x is gone');
  });

  it('a drop that was noted and not yet made is not made after the user changed his mind', async () => {
    const all = await stage('present');
    all.ghost.drop(all.a, 'x');
    await all.a.tick();
    all.b.once('execute', () => {
      all.b.user('DROP DATABASE "x"');
      all.b.user('CREATE DATABASE "x"');
      all.b.influx.write('x', undefined, 0n);
      all.b.influx.kill();
    });
    await all.b.tick();
    all.b.influx.start();
    await all.cluster.settle();
    expect(all.b.influx.disk.size, 'the new points').to.equal(1);
    expect(all.a.lines).to.deep.equal(all.b.lines);
  });
});

type Act =
  | { do: 'create' | 'drop'; node: number; database: string; during: string | undefined }
  | { do: 'write'; node: number; database: string }
  | { do: 'tick'; node: number }
  | { do: 'die'; node: number; step: number; takesEffect: boolean }
  | { do: 'lose-reply'; node: number };

const NODES = 3;
const node = fc.nat(NODES - 1);
const during = fc.constantFrom(undefined, 'write', 'append', 'execute', 'readMemory', 'marks');
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('create' as const, 'drop' as const),
      node,
      database: fc.constantFrom('x', 'y'),
      during,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      node,
      database: fc.constantFrom('x', 'y'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('tick' as const), node }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('die' as const),
      node,
      step: fc.integer({ min: 1, max: 12 }),
      takesEffect: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose-reply' as const), node }) },
);

async function perform(cluster: SimulatedCluster, ghost: IdentityGhost, each: Act): Promise<void> {
  const target = cluster.nodes[each.node]!;
  switch (each.do) {
    case 'create':
    case 'drop': {
      const { do: what, database } = each;
      const action = () => ghost[what](target, database);
      if (each.during === undefined) action();
      else target.once(each.during, action);
      return;
    }
    case 'write':
      if (target.influx.data.Databases.some(({ Name }) => Name === each.database)) {
        target.influx.write(each.database, undefined, 0n);
      }
      return;
    case 'tick':
      await target.tick();
      return;
    case 'die':
      await target.tickAndDie(each.step, each.takesEffect);
      return;
    case 'lose-reply':
      target.api.loseNextReply();
  }
}

describe('identity, over random interleavings', function () {
  this.timeout(120_000);

  it('never drops an object that no user dropped, keeps none that one did, and ends equal', async () => {
    const numRuns = Number(process.env['CLUSTERFLUX_TEST_RUNS'] ?? 1500);
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 2, maxLength: 40 }), async (acts) => {
        const cluster = simulate(NODES);
        const ghost = new IdentityGhost(cluster);
        await cluster.settle(); // all have joined: what a joining server brings may be held for a person
        for (const each of acts) await perform(cluster, ghost, each);
        for (const each of cluster.nodes) each.beforeStep = undefined;
        await cluster.settle();
        expect(ghost.violations).to.deep.equal([]);
        expect(ghost.zombies()).to.deep.equal([]);
        const [first, ...others] = cluster.nodes;
        for (const other of others) expect(other.lines).to.deep.equal(first!.lines);
      }),
      { numRuns },
    );
  });
});
