// Who may answer reads, and who takes direct writes, while nodes come and go and hold hints for each other.
import { expect } from 'chai';
import fc from 'fast-check';
import { BacklogWorld, type BacklogNode } from './backlog-world.js';

describe('news of hints', () => {
  let world: BacklogWorld;
  let a: BacklogNode;
  let b: BacklogNode;
  let c: BacklogNode;
  beforeEach(async () => {
    world = new BacklogWorld(3);
    [a, b, c] = world.three;
    await world.clock.advance(100);
  });

  describe('and reads', () => {
    it('are all served a moment after all have started', async () => {
      for (const node of world.nodes) expect(await node.serves()).to.equal(true);
    });

    it('are served by a node alone at once', async () => {
      const alone = new BacklogWorld(1);
      expect(await alone.nodes[0]!.serves()).to.equal(true);
    });

    it('are refused by the owner before the write that made a first hint for it is answered', async () => {
      await a.hint(b);
      expect(await b.serves()).to.equal(false);
      expect(await c.serves()).to.equal(true);
      a.drain(b);
      await world.clock.advance(600);
      expect(await b.serves()).to.equal(true);
    });

    it('of other groups are served meanwhile, until a hint of those comes too', async () => {
      await a.hint(b, 1);
      expect([await b.serves(1), await b.serves(2), await b.serves(2, 1)]).to.deep.equal([
        ...[false, true, false],
      ]);
      await a.hint(b, 2);
      expect(await b.serves(2)).to.equal(false);
    });

    it('are not asked about where any node may answer', async () => {
      await a.hint(b);
      expect((await b.run!.judge.mayServe([])).kind).to.equal('yes');
    });

    it('are served without a break where a peer that held nothing is killed', async () => {
      a.kill();
      for (let i = 0; i < 100; i += 1) {
        await world.clock.advance(100);
        expect([i, await b.serves(), await c.serves()]).to.deep.equal([i, true, true]);
      }
    });

    it('are refused while a peer that holds hints is dead, also after the owner was started anew', async () => {
      await a.hint(b);
      a.kill();
      await world.clock.advance(10_000);
      expect(await b.serves()).to.equal(false);
      b.kill();
      b.start();
      await world.clock.advance(10_000);
      expect([await b.serves(), await c.serves()]).to.deep.equal([false, true]);
      a.start();
      await world.clock.advance(1_000);
      expect(await b.serves()).to.equal(false);
      a.drain(b);
      await world.clock.advance(1_000);
      expect(await b.serves()).to.equal(true);
    });

    it('are refused by an owner that was dead when its hint was made, and its holder died too', async () => {
      b.kill();
      await a.hint(b);
      a.kill();
      b.start();
      await world.clock.advance(5_000);
      expect(await b.serves()).to.equal(false);
    });

    it('are refused after three seconds where a peer is silent, and served when it is heard again', async () => {
      world.link(a, b, 'lost');
      await world.clock.advance(2_000);
      expect(await b.serves()).to.equal(true);
      await world.clock.advance(1_500);
      expect([await b.serves(), await c.serves()]).to.deep.equal([false, true]);
      world.link(a, b, 'up');
      await world.clock.advance(2_000);
      expect(await b.serves()).to.equal(true);
    });

    it('are served after a start of all but one, where the registry has no flag of that one', async () => {
      for (const node of world.nodes) node.kill();
      b.start();
      c.start();
      await world.clock.advance(1_500);
      expect([await b.serves(), await c.serves()]).to.deep.equal([true, true]);
    });

    it('wait for a peer that is dead since before the start where no registry can be asked', async () => {
      for (const node of world.nodes) node.kill();
      world.hasManager = false;
      b.start();
      c.start();
      await world.clock.advance(10_000);
      expect(await b.serves()).to.equal(false);
      a.start();
      await world.clock.advance(1_000);
      expect(await b.serves()).to.equal(true);
    });

    it('count the hints that a node holds for its own influxd', async () => {
      await b.hint(b);
      expect([await b.serves(), await a.serves()]).to.deep.equal([false, true]);
    });

    it('are served again when a flag that an earlier run left is cleared', async () => {
      b.kill();
      await a.hint(b);
      expect([...world.flags.get(b.id)!]).to.deep.equal([a.id]);
      a.kill();
      a.start();
      a.drain(b);
      b.start();
      for (const node of world.nodes) node.list = world.registry();
      await world.clock.advance(5_000);
      expect([...world.flags.get(b.id)!]).to.deep.equal([]);
      expect(await b.serves()).to.equal(true);
    });
  });

  describe('and the write that made a hint', () => {
    const neverServes = async (node: BacklogNode, ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 20) {
        expect([passed, await node.serves()]).to.deep.equal([passed, false]);
        await world.clock.advance(20);
      }
    };
    const within = async (work: Promise<void>, ms: number): Promise<boolean> => {
      let isDone = false;
      void work.then(() => (isDone = true));
      await world.clock.advance(ms);
      return isDone;
    };

    it('is answered at once where the owner is dead', async () => {
      b.kill();
      expect(await within(a.hint(b), 10)).to.equal(true);
    });

    it('waits until an owner that hears nothing has stopped to serve, and later ones do not wait', async () => {
      world.link(a, b, 'lost');
      expect(await within(a.hint(b), 2_000)).to.equal(false);
      await world.clock.advance(1_500);
      expect(await within(a.hint(b), 1)).to.equal(true);
      expect(await b.serves()).to.equal(false);
    });

    it('is not undone by an earlier word that comes late, of this run of the holder or the one before', async () => {
      for (const isNewRun of [false, true]) {
        world.link(a, b, 'late');
        await world.clock.advance(600);
        world.link(a, b, 'up');
        if (isNewRun) {
          a.kill();
          a.start();
        }
        expect(await within(a.hint(b), 50)).to.equal(true);
        await neverServes(b, 4_000);
        a.drain(b);
        await world.clock.advance(1_000);
        expect(await b.serves()).to.equal(true);
      }
    });

    it('is not undone by an earlier word that comes late after later ones were lost', async () => {
      world.link(a, b, 'late');
      await world.clock.advance(600);
      world.link(a, b, 'lost');
      const hint = a.hint(b);
      expect(await within(hint, 3_500)).to.equal(true);
      await neverServes(b, 3_000);
    });

    it('waits for its own word where one that says that all is delivered is still on its way', async () => {
      await a.hint(b);
      world.link(a, b, 'slow');
      a.drain(b);
      const again = a.hint(b);
      expect(await within(again, 1)).to.equal(false);
      expect(await within(again, 300)).to.equal(true);
      await neverServes(b, 1_000);
    });

    it('waits for the word of an earlier run too, of which nothing is known', async () => {
      a.kill();
      world.link(a, b, 'lost');
      a.start();
      await world.clock.advance(200);
      const hint = a.hint(b);
      expect([await within(hint, 1_000), await b.serves()]).to.deep.equal([false, true]);
      expect(await within(hint, 2_500)).to.equal(true);
      await neverServes(b, 1_000);
    });

    it('is answered in bounded time where neither the owner nor a manager can be told', async () => {
      world.hasManager = false;
      world.link(a, b, 'lost');
      expect(await within(a.hint(b), 3_600)).to.equal(true);
      expect(await within(a.hint(b), 1)).to.equal(true);
    });
  });

  it('never let an owner answer that lacks an acknowledged point, whatever is lost, late or dead', async () => {
    const pick = fc.nat({ max: 2 });
    const event = fc.oneof(
      { weight: 4, arbitrary: fc.tuple(fc.constant('hint'), pick, pick) },
      { weight: 3, arbitrary: fc.tuple(fc.constant('drain'), pick, pick) },
      { weight: 2, arbitrary: fc.tuple(fc.constantFrom('kill', 'start'), pick, pick) },
      {
        weight: 4,
        arbitrary: fc.tuple(fc.constantFrom('up', 'slow', 'lost', 'no-answer', 'late'), pick, pick),
      },
      { weight: 8, arbitrary: fc.tuple(fc.constant('pass'), fc.nat({ max: 4_000 }), pick) },
    );
    let refusals = 0;
    let answers = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
        const run = new BacklogWorld(3);
        /** `holder owner`: acknowledged, and not delivered. */
        const owed = new Set<string>();
        const step = async (ms: number) => {
          await run.clock.advance(ms);
          for (const owner of run.nodes) {
            const lacks = run.nodes.some((holder) => owed.has(`${holder.id} ${owner.id}`));
            const serves = await owner.serves();
            if (serves) answers += 1;
            else if (owner.run !== undefined) refusals += 1;
            if (lacks && serves) throw new Error(`node ${owner.id} answers and lacks points`);
          }
        };
        for (const [what, x, y] of events) {
          if (what === 'pass') {
            for (let rest = x; rest > 0; rest -= 250) await step(Math.min(rest, 250));
            continue;
          }
          const [one, other] = [run.nodes[x]!, run.nodes[y]!];
          const key = `${one.id} ${other.id}`;
          if (what === 'kill') one.kill();
          else if (what === 'start' && one.run === undefined) one.start();
          else if (one === other) continue;
          else if (what === 'hint' && one.run !== undefined) {
            const { run: before } = one;
            const acknowledge = () => {
              // What a process was about to acknowledge when it died, nobody was told.
              if (one.run === before && one.hints.has(other.uid)) owed.add(key);
            };
            // Where it could not be made known, the write was refused.
            void one.hint(other).then(acknowledge, () => undefined);
          } else if (what === 'drain' && one.run !== undefined) {
            owed.delete(key);
            one.drain(other);
          } else if (what !== 'hint' && what !== 'drain' && what !== 'start') {
            run.link(one, other, what);
          }
          await step(0);
        }
        for (const node of run.nodes) node.kill();
      }),
      { numRuns: 100 },
    );
    // It is no proof where nobody ever answered, or everybody always did.
    expect(Math.min(answers, refusals)).to.be.greaterThan(100);
  });

  describe('and direct writes', () => {
    it('are taken by a node alone at once, and by three that start together within a moment', async () => {
      expect(new BacklogWorld(1).nodes[0]!.takesDirect).to.equal(true);
      for (const node of world.nodes) expect(node.takesDirect).to.equal(true);
    });

    it('are refused by a node that comes back, until what was held for it is delivered', async () => {
      b.kill();
      await a.hint(b);
      await world.clock.advance(1_000);
      b.start();
      await world.clock.advance(1_000);
      expect(b.takesDirect).to.equal(false);
      a.drain(b);
      await world.clock.advance(1_000);
      expect(b.takesDirect).to.equal(true);
    });

    it('are taken when what was held at that time is delivered, though new hints have come', async () => {
      b.kill();
      await a.hint(b);
      await world.clock.advance(1_000);
      b.start();
      await world.clock.advance(1_000);
      // The old ones are delivered, and a write that found the gate closed has become a new one.
      a.hints.set(b.uid, { groups: new Set([1]), sinceMs: world.clock.nowMs() });
      await world.clock.advance(1_000);
      expect([b.takesDirect, await b.serves()]).to.deep.equal([true, false]);
    });

    it('are taken after five minutes whatever is held', async () => {
      b.kill();
      await a.hint(b);
      b.start();
      await world.clock.advance(299_000);
      expect(b.takesDirect).to.equal(false);
      await world.clock.advance(2_000);
      expect(b.takesDirect).to.equal(true);
      await world.clock.advance(60_000);
      expect(b.takesDirect).to.equal(true);
    });

    it('are refused when influxd was away, until everybody has heard of it', async () => {
      b.run!.gate.noteInfluxdAway();
      expect(b.takesDirect).to.equal(false);
      await world.clock.advance(1_200);
      expect(b.takesDirect).to.equal(true);
    });

    it('go on where a hint was needed for a moment only, and stop where it lasts', async () => {
      await a.hint(b);
      await world.clock.advance(600);
      expect(b.takesDirect).to.equal(true);
      a.drain(b);
      await world.clock.advance(3_000);
      expect(b.takesDirect).to.equal(true);
      await a.hint(b);
      await world.clock.advance(2_000);
      expect(b.takesDirect).to.equal(false);
      a.drain(b);
      await world.clock.advance(1_200);
      expect(b.takesDirect).to.equal(true);
    });

    it('are taken though a peer is dead that held nothing', async () => {
      a.kill();
      b.kill();
      b.start();
      await world.clock.advance(2_000);
      expect(b.takesDirect).to.equal(true);
    });
  });
});
