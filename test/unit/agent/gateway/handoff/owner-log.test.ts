// The hints of one owner on disk: what was acknowledged is read back, whatever happens to the process, the machine or a file.
import { expect } from 'chai';
import fc from 'fast-check';
import type { LogItem } from '../../../../../agent/gateway/handoff/log-item.js';
import { OwnerLog } from '../../../../../agent/gateway/handoff/owner-log.js';
import type { Survival } from './crashing-hint-files.js';
import { Crash, CrashingHintFiles } from './crashing-hint-files.js';
import { batch, readAll } from './hints.js';

const DIRECTORY = '/hints/owner';

describe('the hint log of an owner', () => {
  let disk: CrashingHintFiles;
  let registered: number[];
  beforeEach(() => {
    disk = new CrashingHintFiles();
    registered = [];
  });

  const open = (more: { segmentBytes?: number; keptBytes?: number } = {}): Promise<OwnerLog> =>
    OwnerLog.open({
      files: disk.mount(),
      directory: DIRECTORY,
      parent: '/hints',
      register: async (groups) => void registered.push(...groups),
      ...more,
    });

  async function readOne(log: OwnerLog): Promise<LogItem> {
    const item = await log.read();
    if (item === undefined) throw new Error('nothing to read');
    return item;
  }

  it('gives back all of a batch, in order, after a restart', async () => {
    const log = await open();
    const whole = batch('m,t=ü v=1 1\nm v="a\nb" 2', {
      database: 'd b"',
      policy: 'r,p',
      precision: 'ms',
      points: 2,
      group: 7,
      shard: 9,
      databaseMark: 3,
      policyMark: 4,
      placementVersion: 5,
      metadataVersion: 6,
      deletes: 8,
      isHint: false,
    });
    await log.append(whole, 1_000);
    await log.append(batch('second'), 2_000);
    disk.restart('lost');
    const again = await open();
    expect(again.totals).to.include({ records: 2, points: 3, oldestMs: 1_000 });
    expect(again.totals.groups).to.deep.equal([1, 7]);
    const first = await readOne(again);
    expect(first).to.deep.include({ kind: 'hint', sequence: 0, takenMs: 1_000 });
    expect((first as { batch: unknown }).batch).to.deep.equal({ ...whole, isHint: true });
    expect(await readAll(again)).to.deep.equal(['second']);
  });

  it('makes many batches durable with one fsync', async () => {
    const log = await open();
    await log.append(batch('opens the segment'), 0);
    const before = disk.syncs;
    await Promise.all(Array.from({ length: 500 }, (_, i) => log.append(batch(`m v=${i}`), 0)));
    // The first of them is alone: while it is fsynced, the others gather.
    expect(disk.syncs - before).to.equal(2);
  });

  it('acknowledges nothing before it is fsynced, and registers its group first', async () => {
    const log = await open();
    let isAcknowledged = false;
    let registeredBySync: number[] = [];
    disk.onSync = async () => {
      expect(isAcknowledged).to.equal(false);
      registeredBySync = [...registered];
    };
    await log.append(batch('a', { group: 5 }), 0).then(() => (isAcknowledged = true));
    expect(registeredBySync).to.deep.equal([5]);
  });

  it('goes on where it was, without what is done, and removes whole segments', async () => {
    const log = await open({ segmentBytes: 1_000 });
    for (let i = 0; i < 20; i += 1) await log.append(batch(`m v=${i} ${'x'.repeat(200)}`), i);
    const files = disk.paths('.hints').length;
    const items: LogItem[] = [];
    for (let i = 0; i < 12; i += 1) items.push(await readOne(log));
    await log.done(items);
    await log.flush();
    expect(disk.paths('.hints').length).to.be.below(files);
    disk.restart('lost');
    const again = await open({ segmentBytes: 1_000 });
    expect(again.totals.records).to.equal(8);
    expect((await readAll(again)).map((text) => text.slice(0, 6))).to.deep.equal(
      Array.from({ length: 8 }, (_, i) => `m v=${i + 12}`),
    );
  });

  it('is empty only when all is done durably, and then keeps no large file', async () => {
    const log = await open({ keptBytes: 10 });
    const appended = log.append(batch('a'), 0);
    expect(log.isEmpty).to.equal(false);
    await appended;
    const item = await readOne(log);
    expect(log.isEmpty).to.equal(false);
    await log.done([item]);
    expect(log.isEmpty).to.equal(false);
    await log.flush();
    expect(log.isEmpty).to.equal(true);
    expect(log.totals).to.deep.include({ records: 0, bytes: 0, groups: [] });
    expect(disk.paths('.hints')).to.deep.equal([]);
    await log.append(batch('b'), 0);
    disk.restart('lost');
    expect(await readAll(await open())).to.deep.equal(['b']);
  });

  it('goes on in the same small file after all was done', async () => {
    const log = await open();
    for (const text of ['a', 'b', 'c']) {
      await log.append(batch(text), 0);
      await log.done([await readOne(log)]);
      await log.flush();
    }
    expect(disk.paths('.hints')).to.have.length(1);
    disk.restart('lost');
    const again = await open();
    expect(again.isEmpty).to.equal(true);
    await again.append(batch('d'), 0);
    expect(await readAll(again)).to.deep.equal(['d']);
  });

  it('cuts a torn tail off and goes on behind it', async () => {
    const log = await open();
    await log.append(batch('whole'), 0);
    const [path = ''] = disk.paths('.hints');
    const length = disk.content(path).length;
    await log.append(batch('torn'), 0);
    disk.overwrite(path, (bytes) => bytes.subarray(0, -3));
    disk.restart('process');
    const again = await open();
    expect(again.found.cutBytes).to.be.above(0);
    expect(disk.content(path)).to.have.length(length);
    await again.append(batch('next'), 0);
    expect(await readAll(again)).to.deep.equal(['whole', 'next']);
  });

  it('passes over damage in the middle and says how many hints are lost', async () => {
    const log = await open();
    for (const text of ['first', 'second', 'third', 'fourth']) await log.append(batch(text), 0);
    const [path = ''] = disk.paths('.hints');
    for (const flipped of ['second', '"taken":0}third']) {
      disk.overwrite(path, (bytes) => {
        bytes[bytes.indexOf(flipped)]! ^= 0xff;
        return bytes;
      });
    }
    disk.restart('process');
    expect(await readAll(await open())).to.deep.equal(['first', 'lost 2', 'fourth']);
  });

  it('finds what is behind a record whose length is damaged', async () => {
    const log = await open();
    for (const text of ['first', 'second', 'third']) await log.append(batch(text), 0);
    const [path = ''] = disk.paths('.hints');
    disk.overwrite(path, (bytes) => {
      bytes.writeUInt32BE(0x0fffffff, bytes.indexOf('CFH\x01', 10) + 8);
      return bytes;
    });
    disk.restart('process');
    expect(await readAll(await open())).to.deep.equal(['first', 'lost 1', 'third']);
  });

  it('drops what was written with damage before it in the same fsync: it was never acknowledged', async () => {
    const log = await open();
    await log.append(batch('acknowledged'), 0);
    const group = [log.append(batch('one'), 0), log.append(batch('two'), 0)];
    group.push(log.append(batch('three'), 0));
    await Promise.all(group);
    const [path = ''] = disk.paths('.hints');
    disk.overwrite(path, (bytes) => {
      bytes[bytes.indexOf('two')]! ^= 0xff;
      return bytes;
    });
    disk.restart('process');
    expect(await readAll(await open())).to.deep.equal(['acknowledged', 'one']);
  });

  it('tells which segments are gone, also the newest one', async () => {
    const log = await open({ segmentBytes: 1 });
    for (let i = 0; i < 3; i += 1) await log.append(batch(`m v=${i}`, { group: i + 1 }), 0);
    const [first = '', , last = ''] = disk.paths('.hints');
    disk.remove(first);
    disk.remove(last);
    disk.restart('process');
    const again = await open();
    expect(again.found.lost).to.deep.equal([
      { first: 0, groups: [1] },
      { first: 2, groups: undefined },
    ]);
    await again.forget(again.found.lost);
    expect(await readAll(again)).to.deep.equal(['lost 1', 'm v=1']);
    disk.restart('process');
    expect((await open()).found.lost).to.deep.equal([]);
  });

  it('refuses a hint when the disk is full, and takes the next one when there is space', async () => {
    const log = await open();
    await log.append(batch('before'), 0);
    for (const failing of ['write', 'sync'] as const) {
      disk.failing = failing;
      const error = await log.append(batch('refused'), 0).catch((thrown: unknown) => thrown);
      expect(error).to.have.property('code', 'ENOSPC');
      disk.failing = undefined;
      await log.append(batch(`after ${failing}`), 0);
    }
    expect(log.totals.records).to.equal(3);
    disk.restart('lost');
    expect(await readAll(await open())).to.deep.equal(['before', 'after write', 'after sync']);
  });

  it('remembers what was settled over a restart of the process', async () => {
    const log = await open();
    await log.append(batch('a'), 0);
    const settled = await log.append(batch('b'), 0);
    log.settle(settled);
    await log.flush();
    disk.restart('process');
    const again = await open();
    expect(again.isSettled(settled)).to.equal(true);
    expect(again.isSettled(0)).to.equal(false);
  });

  it('keeps its notes short over thousands of hints', async () => {
    const log = await open({ segmentBytes: 100_000 });
    for (let i = 0; i < 12_000; i += 1) {
      const sequence = await log.append(batch('m v=1'), 0);
      log.settle(sequence);
      if (i % 3 === 2) await log.done([await readOne(log), await readOne(log), await readOne(log)]);
    }
    await log.flush();
    expect(disk.content(`${DIRECTORY}/done.log`).length).to.be.below(300_000);
    disk.restart('lost');
    const again = await open();
    expect(again.totals.records).to.equal(0);
    expect(await readAll(again)).to.deep.equal([]);
  });

  it('replays all that was acknowledged, at least once and in order, from a crash at any step', async () => {
    const action = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('append'),
          count: fc.integer({ min: 1, max: 5 }),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant('drain'), count: fc.integer({ min: 1, max: 6 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush'), count: fc.constant(0) }) },
    );
    const life = fc.record({
      actions: fc.array(action, { minLength: 1, maxLength: 12 }),
      crashAfter: fc.integer({ min: 1, max: 60 }),
      survival: fc.constantFrom<Survival>('lost', 'kept', 'torn', 'process'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 5 }), async (lives) => {
        disk = new CrashingHintFiles();
        const world = new World(() => open({ segmentBytes: 400, keptBytes: 200 }));
        for (const { actions, crashAfter, survival } of lives) {
          disk.crashAfter(crashAfter);
          await world.live(actions);
          disk.restart(survival);
        }
        await world.live([{ kind: 'drain', count: 1_000 }]);
        world.check();
      }),
      { numRuns: 400, seed: 4 },
    );
  });
});

/** Appends numbered hints and "delivers" them, and knows what has to arrive. */
class World {
  private readonly acknowledged: number[] = [];
  private readonly attempted = new Set<number>();
  private readonly delivered: number[] = [];
  private counter = 0;
  /** Everything below was done when the log said that it is empty: from then on writes go directly, and none may come again. */
  private switched = 0;

  constructor(private readonly open: () => Promise<OwnerLog>) {}

  /** One process, until its actions are done or the machine goes off. */
  async live(actions: readonly { kind: string; count: number }[]): Promise<void> {
    try {
      const log = await this.open();
      expect(log.found.lost).to.deep.equal([]);
      for (const { kind, count } of actions) {
        if (kind === 'append') await this.append(log, count);
        else if (kind === 'drain') await this.drain(log, count);
        else await log.flush();
      }
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
    }
  }

  check(): void {
    for (const number of this.acknowledged) expect(this.delivered).to.include(number);
    for (const number of this.delivered) expect(this.attempted).to.include(number);
    // A repetition begins again somewhere and then runs through: the last time of each is in order.
    const last = [...new Set([...this.delivered].reverse())].reverse();
    expect(last).to.deep.equal([...last].sort((a, b) => a - b));
  }

  private async append(log: OwnerLog, count: number): Promise<void> {
    const results = await Promise.allSettled(
      Array.from({ length: count }, async () => {
        const number = this.counter++;
        this.attempted.add(number);
        await log.append(batch(`m v=${number} ${'x'.repeat(number % 90)}`), 0);
        this.acknowledged.push(number);
      }),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  private async drain(log: OwnerLog, count: number): Promise<void> {
    for (let i = 0; i < count; i += 1) {
      const item = await log.read();
      if (item === undefined) break;
      if (item.kind === 'lost') throw new Error(item.why);
      const number = Number(/v=(\d+)/.exec(item.batch.body.toString())?.[1]);
      expect(number).to.be.at.least(this.switched);
      this.delivered.push(number);
      await log.done([item]);
    }
    if (!log.hasUnread) await log.flush();
    if (log.isEmpty) this.switched = this.counter;
  }
}
