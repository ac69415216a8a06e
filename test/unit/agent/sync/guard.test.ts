// The guard: what is first seen after a gap and loses too much is held, exactly that, until a person decides.
import { expect } from 'chai';
import type { Decision } from '../../../../shared/api/orders.js';
import { describeKey } from '../../../../shared/meta/diff.js';
import { digestOfHeld } from '../../../../agent/sync/held.js';
import type { HeldItem } from '../../../../agent/sync/port.js';
import type { SimulatedCluster, SimulatedNode } from '../../../support/simulated-node.js';
import { simulate } from '../../../support/simulated-node.js';

interface Stage {
  readonly cluster: SimulatedCluster;
  readonly a: SimulatedNode;
  readonly b: SimulatedNode;
}

/** Two nodes in step with databases d1, d2, … */
async function inStep(databases: number, maxDrops = 5): Promise<Stage> {
  const cluster = simulate(2, { settings: { maxDrops } });
  const [a, b] = cluster.nodes as [SimulatedNode, SimulatedNode];
  for (let n = 1; n <= databases; n += 1) {
    a.user(`CREATE DATABASE "d${n}" WITH DURATION 30d SHARD DURATION 1d NAME "rp"`);
  }
  await cluster.settle();
  return { cluster, a, b };
}

/** `count` databases are dropped on `a` while the agent of `who` is not there. */
async function droppedInAGap({ cluster, a }: Stage, who: SimulatedNode, count: number) {
  for (let n = 1; n <= count; n += 1) a.user(`DROP DATABASE "d${n}"`);
  if (who !== a) await a.tick();
  who.startAgent();
  await cluster.settle();
}

const held = (node: SimulatedNode): readonly HeldItem[] => node.reconciler.lastReport?.held ?? [];
const heldNames = (node: SimulatedNode) => held(node).map(({ object }) => describeKey(object));
const databases = ({ lines }: SimulatedNode) =>
  lines.filter((line) => line.startsWith('["database"')).length;

function decide(node: SimulatedNode, decision: Decision): void {
  node.approval = { digest: digestOfHeld(held(node)), decision };
}

describe('the guard of an agent', () => {
  // [dropped in the gap, of how many, held]
  const cases: [number, number, boolean][] = [
    [1, 1, false],
    [1, 2, false],
    [2, 2, true],
    [2, 4, true],
    [2, 5, false],
    [3, 7, false],
    [4, 8, true],
    [5, 20, false],
    [6, 20, true],
  ];
  for (const [dropped, of, isHeld] of cases) {
    it(`${isHeld ? 'holds' : 'lets through'} ${dropped} of ${of} databases that were dropped here before the agent started`, async () => {
      const stage = await inStep(of);
      await droppedInAGap(stage, stage.a, dropped);
      expect(held(stage.a)).to.have.lengthOf(isHeld ? dropped : 0);
      expect(databases(stage.b)).to.equal(isHeld ? of : of - dropped);
    });

    it(`${isHeld ? 'holds' : 'lets through'} ${dropped} of ${of} that were dropped in the cluster meanwhile`, async () => {
      const stage = await inStep(of);
      await droppedInAGap(stage, stage.b, dropped);
      expect(held(stage.b)).to.have.lengthOf(isHeld ? dropped : 0);
      expect(databases(stage.b)).to.equal(isHeld ? of : of - dropped);
      expect(databases(stage.a)).to.equal(of - dropped);
    });
  }

  it('counts nothing that it saw happen', async () => {
    const stage = await inStep(8);
    const { a, b, cluster } = stage;
    for (let n = 1; n <= 8; n += 1) a.user(`DROP DATABASE "d${n}"`);
    await cluster.settle();
    expect([held(a), held(b)]).to.deep.equal([[], []]);
    expect([databases(a), databases(b)]).to.deep.equal([0, 0]);
  });

  it('counts over the last hour, through restarts', async () => {
    const stage = await inStep(40);
    const { a, b, cluster } = stage;
    await droppedInAGap(stage, a, 4);
    expect(databases(b)).to.equal(36);
    a.user('DROP DATABASE "d5"');
    a.user('DROP DATABASE "d6"');
    a.startAgent();
    await a.tick();
    expect(heldNames(a)).to.deep.equal(['database d5', 'database d6']);
    cluster.nowMs += 3_600_000;
    a.user('DROP DATABASE "d7"');
    a.startAgent();
    await cluster.settle();
    expect(heldNames(a), 'what is held stays so').to.deep.equal(['database d5', 'database d6']);
    expect(databases(b), 'and an hour later one more passes').to.equal(35);
  });

  it('holds exactly these: everything else goes on', async () => {
    const stage = await inStep(4);
    const { a, b, cluster } = stage;
    await droppedInAGap(stage, a, 2);
    a.user('CREATE DATABASE "new"');
    b.user('CREATE DATABASE "other"');
    await cluster.settle();
    expect(databases(a), 'two of them are held').to.equal(4);
    expect(databases(b)).to.equal(6);
  });

  it('stays held through any number of starts', async () => {
    const stage = await inStep(2);
    await droppedInAGap(stage, stage.a, 2);
    for (let start = 0; start < 3; start += 1) {
      stage.a.startAgent();
      await stage.cluster.settle();
      expect(heldNames(stage.a)).to.deep.equal(['database d1', 'database d2']);
      expect(databases(stage.b)).to.equal(2);
    }
  });

  it('forgets what was taken back', async () => {
    const stage = await inStep(2);
    const { a, b, cluster } = stage;
    await droppedInAGap(stage, a, 2);
    for (const n of [1, 2]) {
      a.user(`CREATE DATABASE "d${n}" WITH DURATION 30d SHARD DURATION 1d NAME "rp"`);
    }
    await cluster.settle();
    expect(held(a)).to.deep.equal([]);
    expect([databases(a), databases(b)]).to.deep.equal([2, 2]);
  });

  it('holds durations that would become shorter, and nothing else about these databases', async () => {
    const stage = await inStep(2);
    const { a, b, cluster } = stage;
    for (const n of [1, 2]) a.user(`ALTER RETENTION POLICY "rp" ON "d${n}" DURATION 3d`);
    a.startAgent();
    await cluster.settle();
    expect(heldNames(a)).to.deep.equal(['retention policy d1.rp', 'retention policy d2.rp']);
    expect(b.lines.filter((line) => line.includes('2592000000000000'))).to.have.lengthOf(2);
    a.user('CREATE RETENTION POLICY "more" ON "d1" DURATION 1d REPLICATION 1');
    await cluster.settle();
    expect(b.lines.some((line) => line.includes('"more"'))).to.equal(true);
  });

  it('says what it holds, once, as an event', async () => {
    const stage = await inStep(2);
    await droppedInAGap(stage, stage.a, 2);
    await stage.cluster.settle();
    const told = stage.a.events.filter(({ kind }) => kind === 'guard');
    expect(told).to.have.lengthOf(2);
    expect(told[0]?.text).to.match(/^database d1: dropped on this server.*meta approve 1/);
  });
});

describe('a decision on what the guard holds', () => {
  for (const who of ['a', 'b'] as const) {
    const where = who === 'a' ? 'here' : 'in the cluster';
    it(`lets drops made ${where} through`, async () => {
      const stage = await inStep(2);
      const node = stage[who];
      await droppedInAGap(stage, node, 2);
      decide(node, 'drop');
      await stage.cluster.settle();
      expect(held(node)).to.deep.equal([]);
      expect([databases(stage.a), databases(stage.b)]).to.deep.equal([0, 0]);
    });

    it(`undoes drops made ${where}, with all that lay in them`, async () => {
      const stage = await inStep(2);
      const before = stage.b.lines;
      const node = stage[who];
      await droppedInAGap(stage, node, 2);
      decide(node, 'keep');
      await stage.cluster.settle();
      expect(held(node)).to.deep.equal([]);
      expect(stage.a.lines).to.deep.equal(before);
      expect(stage.b.lines).to.deep.equal(before);
    });

    it(`undoes and allows shorter durations set ${where}`, async () => {
      for (const decision of ['keep', 'drop'] as const) {
        const stage = await inStep(2);
        const node = stage[who];
        for (const n of [1, 2]) stage.a.user(`ALTER RETENTION POLICY "rp" ON "d${n}" DURATION 3d`);
        if (node !== stage.a) await stage.a.tick();
        node.startAgent();
        await stage.cluster.settle();
        expect(held(node), decision).to.have.lengthOf(2);
        decide(node, decision);
        await stage.cluster.settle();
        expect(held(node), decision).to.deep.equal([]);
        const ns = decision === 'keep' ? '2592000000000000' : '259200000000000';
        for (const each of [stage.a, stage.b]) {
          const durations = each.lines.filter((line) => line.includes(`"durationNs","${ns}"`));
          expect(durations, `${decision} on ${each.id}`).to.have.lengthOf(2);
        }
      }
    });
  }

  it('counts for the list that it names alone', async () => {
    const stage = await inStep(6);
    const { a, b, cluster } = stage;
    await droppedInAGap(stage, a, 3);
    decide(a, 'drop');
    for (const n of [4, 5, 6]) a.user(`DROP DATABASE "d${n}"`);
    a.startAgent();
    const first = a.approval;
    a.approval = undefined;
    await cluster.settle();
    expect(held(a)).to.have.lengthOf(6);
    a.approval = first;
    await cluster.settle();
    expect(held(a), 'another list is held now').to.have.lengthOf(6);
    expect(databases(b)).to.equal(6);
  });

  it('survives the death of the agent at any of its steps', async () => {
    for (let step = 1; step <= 12; step += 1) {
      for (const takesEffect of [false, true]) {
        const stage = await inStep(2);
        await droppedInAGap(stage, stage.a, 2);
        decide(stage.a, 'drop');
        await stage.a.tickAndDie(step, takesEffect);
        // The managers repeat the order until another list is reported.
        if (held(stage.a).length > 0) decide(stage.a, 'drop');
        await stage.cluster.settle();
        expect(databases(stage.b), `step ${step}, ${takesEffect}`).to.equal(0);
      }
    }
  });
});
