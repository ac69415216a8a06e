import { expect } from 'chai';
import type { ApplyOutcome } from '../../../../../agent/gateway/owner/port.js';
import { LEVEL_WAIT_MS } from '../../../../../agent/gateway/write/level-wait.js';
import type { Level } from '../../../../../agent/gateway/write/level.js';
import { late, shapesRefused, TestOwners, uidOf } from '../../../../support/gateway/owners.js';

const APPLIED: ApplyOutcome = { kind: 'applied' };
const FAILED: ApplyOutcome = { kind: 'failed', why: 'connection refused' };
const CATCHING_UP: ApplyOutcome = { kind: 'catching-up' };
const REFUSED: ApplyOutcome = { kind: 'refused', text: 'partial write: no dropped=1', dropped: 1 };
const GONE: ApplyOutcome = { kind: 'gone', why: 'the database is gone' };

describe('the fan-out of one batch', () => {
  describe('by level and what three owners answer', () => {
    const rows: readonly [string, readonly ApplyOutcome[], string, readonly boolean[]][] = [
      // what the owners answer; states; reached for any, one, quorum, all
      [
        'all apply',
        [APPLIED, APPLIED, APPLIED],
        'applied applied applied',
        [true, true, true, true],
      ],
      [
        'one is away',
        [APPLIED, FAILED, APPLIED],
        'applied hinted applied',
        [true, true, true, false],
      ],
      [
        'two are away',
        [FAILED, FAILED, APPLIED],
        'hinted hinted applied',
        [true, true, false, false],
      ],
      [
        'all are away',
        [FAILED, FAILED, FAILED],
        'hinted hinted hinted',
        [true, false, false, false],
      ],
      [
        'one catches up',
        [CATCHING_UP, APPLIED, APPLIED],
        'hinted applied applied',
        [true, true, true, false],
      ],
      [
        'one refuses lines',
        [APPLIED, REFUSED, APPLIED],
        'applied refused applied',
        [true, true, true, true],
      ],
      ['all know it to be gone', [GONE, GONE, GONE], 'gone gone gone', [true, true, true, true]],
    ];
    const levels: readonly Level[] = ['any', 'one', 'quorum', 'all'];
    for (const [name, outcomes, states, reached] of rows) {
      levels.forEach((level, index) => {
        it(`${name}: ${level} is ${reached[index] === true ? '' : 'not '}reached`, async () => {
          const owners = new TestOwners([...outcomes]);
          const result = await owners.deliver(['1 f=1'], { level });
          expect(result.owners.map(({ state }) => state.kind).join(' ')).to.equal(states);
          expect(result.isLevelReached).to.equal(reached[index]);
        });
      });
    }

    it('a hint that can not be kept leaves its owner without the points', async () => {
      const owners = new TestOwners([APPLIED, FAILED]);
      owners.full.add(uidOf(2));
      const { owners: states } = await owners.deliver(['1 f=1']);
      expect(states[1]?.state).to.deep.equal({ kind: 'lost', why: 'the disk is full' });
    });

    it('a hint that nobody could be told of is kept, and says what the client has to be told', async () => {
      const owners = new TestOwners([APPLIED, FAILED]);
      owners.untold.add(uidOf(2));
      const { owners: states } = await owners.deliver(['1 f=1']);
      expect(owners.hints.map(({ uid }) => uid)).to.deep.equal([uidOf(2)]);
      const { state } = states[1]!;
      expect(state.kind === 'lost' && state.fault).to.deep.equal({
        ...{ status: 503, code: 'isolated', error: 'nobody could be told' },
        ...{ isSafeToRetry: true, retryAfterSeconds: 1 },
      });
    });
  });

  describe('an owner that is late', () => {
    it('is given a hint after the configured time, and the answer does not wait for it', async () => {
      const slow = late();
      const owners = new TestOwners([APPLIED, slow.answer]);
      const result = owners.deliver(['1 f=1']);
      await owners.clock.advance(99);
      expect(owners.hints).to.be.empty;
      await owners.clock.advance(1);
      expect((await result).owners[1]?.state.kind).to.equal('hinted');
      expect(owners.announced).to.deep.equal([uidOf(2)]);
    });

    it('keeps what is written meanwhile behind it, though its hint could not be kept', async () => {
      const slow = late();
      const owners = new TestOwners([APPLIED, slow.answer]);
      owners.full.add(uidOf(2));
      const first = owners.deliver(['1 f=1']);
      await owners.clock.advance(100);
      await first;
      owners.full.clear();
      await owners.deliver(['1 f=2']);
      expect(owners.sent.filter(({ node }) => node === 2)).to.have.length(1);
      expect(owners.hints.map(({ text }) => text)).to.deep.equal(['1 f=2']);
    });

    it('gets no hint while the level needs it, and what is written meanwhile does not queue', async () => {
      const slow = late();
      const owners = new TestOwners([slow.answer]);
      const first = owners.deliver(['1 f=1']);
      await owners.clock.advance(1_000);
      const second = owners.deliver(['1 f=2']);
      slow.give(APPLIED);
      expect(await first).to.include({ isLevelReached: true });
      expect(await second).to.include({ isLevelReached: true });
      expect(owners.hints).to.be.empty;
      expect(owners.sent.map(({ text }) => text)).to.deep.equal(['1 f=1', '1 f=2']);
    });

    it('has its time for the hint from when the level is reached without it', async () => {
      const [needed, slow] = [late(), late()];
      const owners = new TestOwners([needed.answer, slow.answer]);
      const result = owners.deliver(['1 f=1']);
      await owners.clock.advance(1_000);
      needed.give(APPLIED);
      await owners.clock.advance(99);
      expect(owners.hints).to.be.empty;
      await owners.clock.advance(1);
      expect((await result).owners.map(({ state }) => state.kind)).to.deep.equal([
        'applied',
        'hinted',
      ]);
    });

    it('gets its hint in its time where a hint is enough', async () => {
      const owners = new TestOwners([late().answer]);
      const result = owners.deliver(['1 f=1'], { level: 'any' });
      await owners.clock.advance(100);
      expect(await result).to.include({ isLevelReached: true });
      expect(owners.hints).to.have.length(1);
    });

    it('is waited for where the level needs it', async () => {
      const slow = late();
      const owners = new TestOwners([APPLIED, slow.answer]);
      const result = owners.deliver(['1 f=1'], { level: 'all' });
      await owners.clock.advance(5_000);
      slow.give(APPLIED);
      expect(await result).to.include({ isLevelReached: true });
    });

    it('is not waited for longer than influxd would', async () => {
      const slow = late();
      const owners = new TestOwners([APPLIED, slow.answer]);
      const result = owners.deliver(['1 f=1'], { level: 'all' });
      await owners.clock.advance(100);
      await owners.clock.advance(LEVEL_WAIT_MS);
      expect(await result).to.include({ isLevelReached: false });
    });

    it('holds the memory of the batch until its request has ended', async () => {
      const slow = late();
      const owners = new TestOwners([APPLIED, slow.answer]);
      const result = owners.deliver(['1 f=1']);
      await owners.clock.advance(100);
      let isReleased = false;
      void (await result).released.then(() => (isReleased = true));
      await owners.clock.advance(1);
      expect(isReleased).to.equal(false);
      slow.give(FAILED);
      await owners.clock.advance(1);
      expect(isReleased).to.equal(true);
    });
  });

  describe('an owner with hints', () => {
    it('gets what is new behind them, and nothing directly', async () => {
      const owners = new TestOwners([APPLIED, APPLIED]);
      owners.held.add(uidOf(2));
      const { owners: states } = await owners.deliver(['1 f=1']);
      expect(states.map(({ state }) => state.kind)).to.deep.equal(['applied', 'hinted']);
      expect(owners.sent.map(({ node }) => node)).to.deep.equal([1]);
    });
  });

  describe('an owner whose hints are being delivered', () => {
    it('is waited for where the level needs it, and then asked directly', async () => {
      const owners = new TestOwners([APPLIED]);
      owners.held.add(uidOf(1));
      const result = owners.deliver(['1 f=1']);
      await owners.clock.advance(1_000);
      expect(owners.sent).to.be.empty;
      owners.tellDrained(uidOf(1), true);
      expect(await result).to.include({ isLevelReached: true });
      expect(owners.hints).to.be.empty;
      expect(owners.sent).to.have.length(1);
    });

    it('gets one more hint as soon as it turns out to be away', async () => {
      const owners = new TestOwners([APPLIED]);
      owners.held.add(uidOf(1));
      const result = owners.deliver(['1 f=1']);
      owners.tellDrained(uidOf(1), false);
      expect(await result).to.include({ isLevelReached: false });
      expect(owners.hints).to.have.length(1);
      expect(owners.sent).to.be.empty;
    });

    it('is waited for no longer than the level is', async () => {
      const owners = new TestOwners([APPLIED]);
      owners.held.add(uidOf(1));
      const result = owners.deliver(['1 f=1']);
      await owners.clock.advance(LEVEL_WAIT_MS);
      expect(await result).to.include({ isLevelReached: false });
      expect(owners.hints).to.have.length(1);
    });

    it('is waited for a moment where one request is left, so that hints come to an end under load', async () => {
      const owners = new TestOwners([APPLIED, APPLIED]);
      owners.isNearlyDrained = true;
      owners.held.add(uidOf(2));
      const first = owners.deliver(['1 f=1']);
      await owners.clock.advance(99);
      expect(owners.hints).to.be.empty;
      owners.tellDrained(uidOf(2), true);
      expect((await first).owners.map(({ state }) => state.kind)).to.deep.equal([
        'applied',
        'applied',
      ]);
      owners.held.add(uidOf(2));
      const second = owners.deliver(['1 f=2']);
      await owners.clock.advance(100);
      expect((await second).owners.map(({ state }) => state.kind)).to.deep.equal([
        'applied',
        'hinted',
      ]);
    });
  });

  describe('an owner that knows better', () => {
    const stale: ApplyOutcome = { kind: 'stale', placementVersion: 9, metadataVersion: 4 };
    const deletes: ApplyOutcome = { kind: 'deletes', deletes: 6 };

    it('has the batch routed anew, with what all of them know', async () => {
      const owners = new TestOwners([stale, APPLIED, deletes]);
      const { again } = await owners.deliver(['1 f=1']);
      expect(again).to.deep.equal({
        kind: 'again',
        placementVersion: 9,
        metadataVersion: 4,
        deletes: 6,
      });
      expect(owners.hints).to.be.empty;
    });

    it('gets a hint in the last round', async () => {
      const owners = new TestOwners([stale, APPLIED, deletes]);
      const { again } = await owners.deliver(['1 f=1'], { isLast: true });
      expect(again).to.equal(undefined);
      expect(owners.hints.map(({ uid }) => uid)).to.deep.equal([uidOf(1), uidOf(3)]);
    });
  });

  describe('a batch that is too large for an owner', () => {
    const atMost =
      (lines: number) =>
      ({ points }: { readonly points: number }): ApplyOutcome =>
        points > lines ? { kind: 'too-large' } : APPLIED;

    it('is sent in halves, in its order', async () => {
      const owners = new TestOwners([atMost(1)]);
      const result = await owners.deliver(['1 f=1', '1 f=2', '1 f=3']);
      expect(result.owners[0]?.state.kind).to.equal('applied');
      const whole = owners.sent.filter(({ batch }) => batch.points === 1);
      expect(whole.map(({ text }) => text)).to.deep.equal(['1 f=1', '1 f=2', '1 f=3']);
    });

    it('is refused where one line alone is too large', async () => {
      const owners = new TestOwners([atMost(0)]);
      const result = await owners.deliver(['1 f=1']);
      expect(result.owners[0]?.state).to.deep.include({
        kind: 'refused',
        text: 'Request Entity Too Large',
      });
    });
  });

  describe('shapes that no owner has taken yet', () => {
    it('go to the first owner alone, and to the others once it has them', async () => {
      const first = late();
      const owners = new TestOwners([first.answer, APPLIED, APPLIED]);
      const result = owners.deliver(['1 f=1'], { isNew: true });
      await owners.clock.advance(50);
      expect(owners.sent.map(({ node }) => node)).to.deep.equal([1]);
      first.give(APPLIED);
      await result;
      expect(owners.sent.map(({ node }) => node)).to.deep.equal([1, 2, 3]);
    });

    it('are known afterwards', async () => {
      const owners = new TestOwners([APPLIED, APPLIED]);
      await owners.deliver(['1 f=1'], { isNew: true });
      expect([...owners.shapes.unseen(3, 0, new Set([1, 2]))]).to.deep.equal([2]);
    });

    it('are new again after a delete, which may have freed a field for another type', async () => {
      const owners = new TestOwners([APPLIED, APPLIED]);
      await owners.deliver(['1 f=1'], { isNew: true });
      expect([...owners.shapes.unseen(3, 1, new Set([1]))]).to.deep.equal([1]);
    });

    it('are asked of the next owner where the first is away', async () => {
      const owners = new TestOwners([FAILED, APPLIED, APPLIED]);
      const result = await owners.deliver(['1 f=1'], { isNew: true });
      expect(result.owners.map(({ state }) => state.kind).sort()).to.deep.equal([
        'applied',
        'applied',
        'hinted',
      ]);
      expect(owners.sent.map(({ node }) => node)).to.deep.equal([1, 2, 3]);
    });

    it('begin with an owner that the registry calls alive', async () => {
      const owners = new TestOwners([APPLIED, APPLIED]);
      owners.dead.add(1);
      await owners.deliver(['1 f=1'], { isNew: true });
      expect(owners.sent.map(({ node }) => node)).to.deep.equal([2, 1]);
    });

    it('that the first refuses reach no other owner', async () => {
      const owners = new TestOwners([shapesRefused(2), APPLIED]);
      const result = await owners.deliver(['2 f="x"'], { isNew: true });
      expect(result.refused).to.deep.equal({
        text: 'partial write: conflict dropped=1',
        dropped: 1,
      });
      expect(result.isLevelReached).to.equal(true);
      expect(owners.sent.map(({ node }) => node)).to.deep.equal([1]);
    });

    it('that the first refuses are left out, and the others go on in their order', async () => {
      const owners = new TestOwners([shapesRefused(2, 5), APPLIED]);
      const lines = ['1 a', '2 b', '3 c', '1 d', '4 e', '5 f', '6 g', '2 h'];
      const result = await owners.deliver(lines, { isNew: true });
      expect(result.refused).to.deep.include({ dropped: 3 });
      const toSecond = owners.sent.filter(({ node }) => node === 2);
      expect(toSecond.map(({ text }) => text)).to.deep.equal(['1 a\n3 c\n1 d\n4 e\n6 g']);
      const lastToFirst = owners.sent.filter(({ node }) => node === 1).at(-1);
      expect(lastToFirst?.text).to.equal('1 a\n3 c\n1 d\n4 e\n6 g');
    });

    it('of which the first refuses only some lines go on: all owners judge those alike', async () => {
      const owners = new TestOwners([REFUSED, REFUSED]);
      const result = await owners.deliver(['1 a', '1 time'], { isNew: true });
      expect(result.owners.map(({ state }) => state.kind)).to.deep.equal(['refused', 'refused']);
    });

    it('need no first owner where there is only one', async () => {
      const owners = new TestOwners([shapesRefused(2)]);
      const result = await owners.deliver(['1 a', '2 b'], { isNew: true });
      expect(result.owners[0]?.state.kind).to.equal('refused');
      expect(owners.sent).to.have.length(1);
    });
  });
});
