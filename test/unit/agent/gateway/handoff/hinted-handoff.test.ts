// Hints from being taken in to being delivered: order, every outcome of a request, limits, losses and restarts. The owner is
// a fake, the file system is in memory, and time moves only when it is told to.
import { expect } from 'chai';
import type { HandoffDeps } from '../../../../../agent/gateway/handoff/hinted-handoff.js';
import { HintedHandoff } from '../../../../../agent/gateway/handoff/hinted-handoff.js';
import type { ApplyOutcome, Batch } from '../../../../../agent/gateway/owner/port.js';
import type { FakeClock } from '../../../../../shared/lifecycle/clock.js';
import { fakeClock } from '../../../../../shared/lifecycle/clock.js';
import { memoryLogger } from '../../../../../shared/log/logger.js';
import { eventually } from '../../../../support/eventually.js';
import { CrashingHintFiles } from './crashing-hint-files.js';
import { batch, UID } from './hints.js';

const FAILED: ApplyOutcome = { kind: 'failed', why: 'it is down' };
const APPLIED: ApplyOutcome = { kind: 'applied' };
const DAY_MS = 86_400_000;

describe('hinted handoff', () => {
  let disk: CrashingHintFiles;
  let clock: FakeClock;
  let handoff: HintedHandoff;
  let sent: Batch[];
  let lost: string[];
  let calls: string[];
  /** What the owner answers; the last one for ever. */
  let answers: (ApplyOutcome | Promise<ApplyOutcome>)[];
  let config: HandoffDeps['config'];
  let node: number | undefined;
  let more: Partial<HandoffDeps>;

  beforeEach(() => {
    disk = new CrashingHintFiles();
    clock = fakeClock();
    [sent, lost, calls, answers] = [[], [], [], [APPLIED]];
    node = 2;
    more = {};
    config = {
      maxBytes: 1_000_000,
      maxAgeMs: 7 * DAY_MS,
      minFreeBytes: 1_000,
      retryIntervalMs: 1_000,
      retryMaxIntervalMs: 60_000,
      retryRateLimitBytes: 0,
    };
  });
  afterEach(() => handoff.stop());

  async function start(): Promise<void> {
    handoff = new HintedHandoff({
      stateDir: '/state',
      files: disk.mount(),
      config,
      clock,
      logger: memoryLogger(),
      // The longest pause that the ceiling allows.
      random: () => 0.999_999,
      sender: {
        send: async (_node, one) => {
          sent.push(one);
          return answers.length > 1 ? answers.shift()! : answers[0]!;
        },
      },
      nodeOf: () => node,
      versions: () => ({ placement: 5, metadata: 6 }),
      catchUp: async (placement, metadata) => void calls.push(`reach ${placement} ${metadata}`),
      afterDeletes: async (one) => one,
      onFirstHint: () => void calls.push('first'),
      onDrained: () => void calls.push('drained'),
      onLost: async (uid, groups, why) => {
        expect(uid).to.equal(UID);
        lost.push(`${groups?.join() ?? 'any'}: ${why}`);
      },
      ...more,
    });
    await handoff.start();
  }

  async function restart(): Promise<void> {
    await handoff.stop();
    disk.restart('process');
    await start();
  }

  const keep = (text: string, change: Partial<Batch> = {}) =>
    handoff.keep(UID, batch(text, change));
  const bodies = (): string[] => sent.map(({ body }) => body.toString());
  const backlog = () => handoff.backlogs()[0]!;
  const drained = () =>
    eventually(() => !handoff.holds(UID), { what: 'the hints to be delivered' });

  describe("to who waits for the end of an owner's hints", () => {
    it('says when all of them are delivered', async () => {
      let give: (outcome: ApplyOutcome) => void = () => undefined;
      answers = [new Promise((resolve) => (give = resolve)), APPLIED];
      await start();
      expect(await handoff.drained(UID)).to.equal(true);
      await keep('a');
      let said: boolean | undefined;
      const told = handoff.drained(UID).then((isDrained) => (said = isDrained));
      await eventually(() => sent.length === 1);
      expect(said).to.equal(undefined);
      expect(handoff.isNearlyDrained(UID)).to.equal(true);
      // An owner that hangs is not one that is nearly done.
      await clock.advance(1_000);
      expect(handoff.isNearlyDrained(UID)).to.equal(false);
      give(APPLIED);
      await told;
      expect(said).to.equal(true);
      expect(handoff.holds(UID)).to.equal(false);
    });

    it('says at once where an attempt fails, and where one has failed', async () => {
      answers = [FAILED];
      await start();
      const kept = keep('a');
      await kept;
      expect(await handoff.drained(UID)).to.equal(false);
      expect(await handoff.drained(UID)).to.equal(false);
    });
  });

  describe('where the owner may still hold a request that was given up', () => {
    const HELD: ApplyOutcome = { kind: 'failed', why: 'no answer', isHeld: true };
    let unsure: string[];
    beforeEach(() => {
      unsure = [];
      more = {
        onUnsure: async (uid, groups) => void unsure.push(`${uid === UID} ${groups.join()}`),
      };
    });

    it('the order is unsure once newer points are delivered behind it', async () => {
      await start();
      let end: (outcome: ApplyOutcome) => void = () => undefined;
      const direct = new Promise<ApplyOutcome>((resolve) => (end = resolve));
      await handoff.keep(UID, batch('a'), direct);
      await keep('b');
      end(HELD);
      await drained();
      expect(unsure).to.deep.equal(['true 1']);
    });

    it('it is sure where nothing newer was written', async () => {
      await start();
      await handoff.keep(UID, batch('a'), Promise.resolve(HELD));
      await drained();
      await handoff.keep(UID, batch('b', { shard: 2, group: 2 }), Promise.resolve(HELD));
      await keep('c');
      await drained();
      expect(unsure).to.deep.equal([]);
    });

    it('hints that were given up count too', async () => {
      answers = [HELD, APPLIED];
      await start();
      await keep('a');
      await eventually(() => sent.length === 1, { what: 'the first attempt' });
      expect(unsure).to.deep.equal([]);
      await keep('b');
      expect(unsure).to.deep.equal(['true 1']);
    });
  });

  it('delivers a hint, tells that it was the first and that all are gone, and holds it in between', async () => {
    let answer: (outcome: ApplyOutcome) => void = () => undefined;
    answers = [new Promise((resolve) => (answer = resolve))];
    await start();
    expect(handoff.holds(UID)).to.equal(false);
    const keeping = keep('m v=1 1');
    expect(handoff.holds(UID)).to.equal(true);
    expect(await keeping).to.deep.equal({
      kind: 'kept',
      ref: { ownerUid: UID, sequence: 0 },
      isFirst: true,
    });
    expect(await keep('m v=2 2')).to.include({ isFirst: false });
    await eventually(() => sent.length === 1);
    expect(handoff.holds(UID)).to.equal(true);
    expect(calls).to.deep.equal(['first']);
    answers = [APPLIED];
    answer(APPLIED);
    await drained();
    expect(calls).to.deep.equal(['first', 'drained']);
    expect(bodies().join('\n')).to.equal('m v=1 1\nm v=2 2');
    expect(sent[0]).to.include({ isHint: true, placementVersion: 5, metadataVersion: 6 });
  });

  it('joins small adjacent hints that are alike, in order, and no others', async () => {
    answers = [FAILED, APPLIED];
    await start();
    await keep('first');
    await eventually(() => sent.length === 1);
    await Promise.all([
      ...['a1', 'a2', 'a3'].map((text) => keep(text)),
      keep('b1', { database: 'other' }),
      keep('a4'),
      keep('c1', { deletes: 1 }),
      keep('c2', { deletes: 1, metadataVersion: 9 }),
      keep('d1', { precision: 's' }),
    ]);
    sent.length = 0;
    await clock.advance(1_000);
    await drained();
    expect(bodies()).to.deep.equal(['first', 'a1\na2\na3', 'b1', 'a4', 'c1\nc2', 'd1']);
    expect(sent[1]).to.include({ points: 3 });
    expect(sent[4]).to.include({ metadataVersion: 9, deletes: 1 });
  });

  it('joins no more than a mebibyte', async () => {
    answers = [FAILED, APPLIED];
    config = { ...config, maxBytes: 10_000_000 };
    await start();
    const large = 'x'.repeat(400_000);
    for (const name of ['a', 'b', 'c', 'd']) await keep(`${name}${large}`);
    await eventually(() => sent.length > 0);
    await clock.advance(1_000);
    await drained();
    const names = bodies().map((text) => text.replaceAll(/[x\n]/g, ''));
    expect(names).to.deep.equal(['a', 'a', 'bc', 'd']);
  });

  it('backs off with a doubling ceiling, and attempts at once when the owner was seen', async () => {
    answers = [FAILED];
    await start();
    await keep('m v=1 1');
    await eventually(() => clock.sleepers === 1);
    for (const pauseMs of [1_000, 2_000, 4_000]) {
      const before = sent.length;
      await clock.advance(pauseMs - 10);
      expect(sent).to.have.length(before);
      await clock.advance(10);
      await eventually(() => sent.length === before + 1 && clock.sleepers === 1);
    }
    expect(backlog()).to.include({ state: 'backing-off', lastError: 'it is down', records: 1 });
    answers = [APPLIED];
    handoff.nudge(UID);
    await drained();
    expect(backlog()).to.include({ state: 'idle', lastError: undefined, records: 0, bytes: 0 });
  });

  it('queues new hints behind those that wait, and becomes empty only when the last is delivered', async () => {
    answers = [FAILED];
    await start();
    await keep('v=0');
    const order: string[] = [];
    let next = 1;
    answers = [APPLIED];
    more = {};
    // A writer that goes on while it drains: to the log while something is held, to the owner else.
    const write = async (): Promise<void> => {
      const text = `v=${next++}`;
      if (handoff.holds(UID)) await keep(text);
      else order.push(...bodies().splice(0), `direct ${text}`);
    };
    handoff.nudge(UID);
    while (!order.some((each) => each.startsWith('direct'))) {
      await write();
      await clock.advance(1);
    }
    const directly = order.at(-1)!;
    const numbers = order
      .join('\n')
      .match(/v=\d+/g)!
      .map((text) => Number(text.slice(2)));
    const once = [...new Set(numbers)];
    expect(once).to.deep.equal([...once].sort((a, b) => a - b));
    expect(directly).to.equal(`direct v=${next - 1}`);
    expect(once).to.have.length(next);
  });

  it('does not send a hint while the direct request for it runs, nor what is behind it', async () => {
    let answer: (outcome: ApplyOutcome) => void = () => undefined;
    await start();
    const direct = new Promise<ApplyOutcome>((resolve) => (answer = resolve));
    await handoff.keep(UID, batch('slow'), direct);
    await keep('behind');
    await clock.advance(5_000);
    expect(sent).to.deep.equal([]);
    answer(APPLIED);
    await drained();
    expect(bodies()).to.deep.equal(['behind']);
    await handoff.keep(UID, batch('failed'), Promise.resolve(FAILED));
    await drained();
    expect(bodies()).to.deep.equal(['behind', 'failed']);
  });

  it('does not send what was settled', async () => {
    answers = [FAILED, APPLIED];
    await start();
    await keep('a');
    await eventually(() => clock.sleepers === 1);
    const outcome = await keep('b');
    await keep('c');
    if (outcome.kind === 'kept') handoff.settle(outcome.ref);
    sent.length = 0;
    await clock.advance(1_000);
    await drained();
    expect(bodies()).to.deep.equal(['a', 'c']);
  });

  it('puts refused lines with the reason into the dead letters, and marks the owner', async () => {
    const text =
      'partial write: field type conflict: input field "v" on measurement "m m" is type float, already exists as type integer dropped=1';
    answers = [{ kind: 'refused', text, dropped: 1 }];
    await start();
    await keep('m\\ m,t=a v=1 1\nother v=1 1\nm\\ m,t=b w=1 1', { group: 3 });
    await drained();
    const [path = ''] = disk.paths('dead-letters.txt');
    const letters = disk.content(path).toString();
    expect(letters).to.contain(text).and.to.contain('# CONTEXT-DATABASE: db');
    expect(
      letters.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
    ).to.deep.equal(['m\\ m,t=a v=1 1']);
    expect(lost).to.deep.equal([`3: it refused points that were kept for it: ${text}`]);
    expect(backlog().deadLetters).to.equal(1);
  });

  it('takes points beyond the retention policy as gone everywhere', async () => {
    const text = 'partial write: points beyond retention policy dropped=1';
    answers = [{ kind: 'refused', text, dropped: 1 }];
    await start();
    await keep('m v=1 1');
    await drained();
    expect(lost).to.deep.equal([]);
    expect(disk.paths('dead-letters.txt')).to.deep.equal([]);
  });

  it('lets go of what has nowhere to go', async () => {
    answers = [{ kind: 'gone', why: 'no such database' }];
    await start();
    await keep('m v=1 1\nm v=2 2');
    await drained();
    expect(lost).to.deep.equal([]);
    expect(handoff.all()[0]!.tally.gone).to.equal(2);
  });

  it('halves what is too large by lines, and gives up a single line that is', async () => {
    const tooLarge: ApplyOutcome = { kind: 'too-large' };
    answers = [tooLarge, APPLIED, tooLarge, APPLIED, tooLarge, APPLIED];
    await start();
    await keep('a v=1\nb v="x\ny"\nc v=1\nd v=1', { group: 8 });
    await drained();
    expect(bodies()).to.deep.equal([
      'a v=1\nb v="x\ny"\nc v=1\nd v=1',
      'a v=1\nb v="x\ny"',
      'c v=1\nd v=1',
      'c v=1',
      'd v=1',
    ]);
    expect(sent[1]).to.include({ points: 2 });
    expect(lost).to.have.length(1);
    expect(disk.content(disk.paths('dead-letters.txt')[0]!).toString()).to.contain('\nd v=1\n');
  });

  it('takes out what a later delete matched, and sends the rest', async () => {
    answers = [{ kind: 'deletes', deletes: 9 }, APPLIED, { kind: 'deletes', deletes: 10 }];
    more = {
      afterDeletes: async (one, upTo) =>
        upTo === 10 ? undefined : { ...one, body: Buffer.from('rest'), deletes: upTo },
    };
    await start();
    await keep('all');
    await drained();
    expect(sent.map(({ body, deletes }) => `${body.toString()} ${deletes}`)).to.deep.equal([
      'all 0',
      'rest 9',
    ]);
    await keep('none is left');
    await drained();
    expect(sent).to.have.length(3);
  });

  it('asks for what the owner knows already, and sends again later', async () => {
    answers = [{ kind: 'stale', placementVersion: 7, metadataVersion: 8 }, APPLIED];
    await start();
    await keep('a');
    await eventually(() => clock.sleepers === 1);
    expect(calls).to.include('reach 7 8');
    await clock.advance(1_000);
    await drained();
    expect(bodies()).to.deep.equal(['a', 'a']);
  });

  it('expires old hints only after the owner is recorded as lacking them', async () => {
    answers = [FAILED];
    let isRecordable = false;
    more = {
      onLost: async (_uid, groups) => {
        if (!isRecordable) throw new Error('no manager');
        lost.push(String(groups));
      },
    };
    await start();
    await keep('old', { group: 4 });
    await clock.advance(7 * DAY_MS - 10_000);
    await keep('young', { group: 5 });
    await clock.advance(80_000);
    expect(backlog()).to.include({ records: 2, lastError: 'no manager' });
    isRecordable = true;
    answers = [APPLIED];
    sent.length = 0;
    await clock.advance(60_000);
    await drained();
    expect(lost).to.deep.equal(['4']);
    expect(bodies()).to.deep.equal(['young']);
  });

  it('keeps no more than the limit per owner, and nothing when the disk is nearly full', async () => {
    answers = [FAILED];
    config = { ...config, maxBytes: 1_000 };
    await start();
    await keep('x'.repeat(500));
    const refused = await keep('x'.repeat(500));
    expect(refused).to.have.property('kind', 'refused');
    expect(refused)
      .to.have.property('why')
      .that.matches(/handoff\.max-size/);
    await clock.advance(2_000);
    disk.freeBytes = 1_000;
    await eventually(async () => {
      expect(await keep('x'))
        .to.have.property('why')
        .that.matches(/handoff\.min-free/);
    });
    expect(handoff.all()[0]!.tally.refused).to.be.at.least(2);
  });

  it('refuses with a sentence where the disk fails, and holds nothing then', async () => {
    await start();
    disk.failing = 'write';
    const outcome = await keep('a');
    expect(outcome).to.deep.equal({
      kind: 'refused',
      why: `no space is left for hints in /state/hints/${UID}`,
    });
    disk.failing = undefined;
    await drained();
    expect(await keep('b')).to.have.property('kind', 'kept');
  });

  it('delivers after a restart what was kept before, also without a new hint', async () => {
    answers = [FAILED];
    await start();
    await keep('a');
    await keep('b');
    answers = [APPLIED];
    sent.length = 0;
    await restart();
    expect(handoff.holds(UID)).to.equal(true);
    await drained();
    expect(bodies()).to.deep.equal(['a\nb']);
    expect(calls.at(-1)).to.equal('drained');
  });

  it('tells for which groups it had hints when their directory is gone', async () => {
    answers = [FAILED];
    await start();
    await keep('a', { group: 3 });
    await keep('b', { group: 4 });
    await handoff.stop();
    disk.remove(`/state/hints/${UID}`);
    await restart();
    await eventually(() => lost.length > 0);
    expect(lost).to.deep.equal(['3,4: the hints that an agent had for it are gone']);
    lost.length = 0;
    await restart();
    await clock.advance(100);
    expect(lost).to.deep.equal([]);
  });

  it('marks the owner where hints are damaged, and delivers the others', async () => {
    answers = [FAILED];
    await start();
    for (const text of ['first', 'second', 'third']) await keep(text, { group: 6 });
    await handoff.stop();
    const [path = ''] = disk.paths('.hints');
    disk.overwrite(path, (bytes) => {
      bytes[bytes.indexOf('second')]! ^= 1;
      return bytes;
    });
    answers = [APPLIED];
    sent.length = 0;
    await restart();
    await drained();
    expect(bodies()).to.deep.equal(['first', 'third']);
    expect(lost).to.have.length(1);
    expect(lost[0]).to.match(/^6: .*1 hints are lost$/);
  });

  it('keeps the hints for a node that is not registered, and sends them when it is', async () => {
    node = undefined;
    await start();
    await keep('a');
    await clock.advance(8 * DAY_MS);
    expect(backlog()).to.include({ records: 1, state: 'stopped', node: undefined });
    expect([sent, lost]).to.deep.equal([[], []]);
    node = 2;
    config = { ...config, maxAgeMs: 30 * DAY_MS };
    await restart();
    await drained();
    expect(bodies()).to.deep.equal(['a']);
  });

  it('drops hints when told, after the owner is recorded as lacking them', async () => {
    answers = [FAILED];
    await start();
    await keep('a', { group: 3 });
    await handoff.purge(UID, new AbortController().signal);
    await drained();
    expect(lost).to.deep.equal(['3: hints for it were purged by a person']);
    answers = [APPLIED];
    sent.length = 0;
    await keep('b');
    await drained();
    expect(bodies()).to.deep.equal(['b']);
  });

  it('removes the directory of a node that is gone when its hints are dropped', async () => {
    node = undefined;
    await start();
    await keep('a');
    await handoff.purge(UID, new AbortController().signal);
    expect(handoff.backlogs()).to.deep.equal([]);
    expect(disk.paths('.hints')).to.deep.equal([]);
    expect(lost).to.deep.equal([]);
    await restart();
    expect(handoff.backlogs()).to.deep.equal([]);
  });

  it('sends no faster than the limit', async () => {
    config = { ...config, retryRateLimitBytes: 1_000 };
    await start();
    for (let i = 0; i < 4; i += 1) {
      await keep('x'.repeat(1_000), { group: i });
    }
    await clock.advance(2_100);
    expect(sent).to.have.length(3);
    await clock.advance(1_000);
    await drained();
    expect(sent).to.have.length(4);
  });

  it('takes no uid that could be a path', async () => {
    await start();
    for (const uid of ['../x', '', 'a/b', '.']) {
      expect(await handoff.keep(uid, batch('a'))).to.have.property('kind', 'refused');
    }
    expect(disk.paths('.hints')).to.deep.equal([]);
  });
});
