// What is kept and what goes: versions, blobs, records of writes.
import { expect } from 'chai';
import fc from 'fast-check';
import { countKept, type Kept } from '../../../../manager/metadata/retention.js';
import { SWEEP_MIN_AGE_MS } from '../../../../manager/metadata/sweep.js';
import { createServices, type Services } from '../../../../manager/services.js';
import { MemoryStore } from '../../../../manager/store/memory/memory-store.js';
import { fakeClock, type FakeClock } from '../../../../shared/lifecycle/clock.js';
import { silentLogger } from '../../../../shared/log/logger.js';
import { snapshotWith } from '../../../support/snapshots.js';

const DAY_MS = 24 * 3_600_000;
const RULES = { always: 2, maxAgeMs: 7 * DAY_MS, maxBytes: 100, maxVersions: 5 };
const signal = new AbortController().signal;

describe('retention', () => {
  const kept = (...versions: [ageDays: number, bytes: number][]): number =>
    countKept(
      versions.map(([age, bytes]): Kept => ({ atMs: -age * DAY_MS, bytes })),
      RULES,
      0,
    );

  it('keeps the last versions whatever their age and size', () => {
    expect(kept([10, 500], [20, 500], [30, 1])).to.equal(2);
  });

  it('keeps those of a week, as far as they are not too many or too large', () => {
    expect(kept([0, 1], [1, 1], [2, 1], [8, 1])).to.equal(3);
    expect(kept([0, 40], [1, 40], [2, 40])).to.equal(2);
    expect(kept([0, 1], [0, 1], [0, 1], [0, 1], [0, 1], [0, 1])).to.equal(5);
  });

  it('keeps a run of the newest, never less than the rule says', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(100))), (versions) => {
        const count = kept(...versions);
        expect(count).to.be.at.least(Math.min(RULES.always, versions.length));
        expect(count).to.be.at.most(versions.length);
      }),
    );
  });
});

describe('sweep', () => {
  let clock: FakeClock;
  let store: MemoryStore;
  let services: Services;
  beforeEach(() => {
    clock = fakeClock();
    store = new MemoryStore({ clock });
    services = createServices({
      store,
      logger: silentLogger(),
      clock,
      prefix: '/cf',
      ttlMs: 15_000,
      history: 2,
      maxDrops: 5,
      maxEvents: 1_000,
      placement: {
        minReplication: 3,
        initialNodes: 1,
        outAfterMs: 86_400_000,
        cutLeadMs: 120_000,
      },
    });
  });
  afterEach(async () => {
    services.views.close();
    await store.close();
  });

  const view = () => services.views.of('c');
  const write = async (version: number, key: string) => {
    const outcome = await services.publisher.write(
      view(),
      {
        seenVersion: version,
        bytes: snapshotWith(`db-${version}`),
        ifMatch: undefined,
        idempotencyKey: key,
        author: {},
      },
      signal,
    );
    expect(outcome.kind).to.equal('accepted');
  };
  const blobs = async () =>
    new Set(
      (await store.range(view().keys.chunks, { keysOnly: true })).entries.map(
        ({ key }) => key.split('/').at(-2) ?? '',
      ),
    ).size;

  it('takes the blobs of versions that are not kept, but none younger than an hour', async () => {
    for (let version = 0; version < 4; version++) await write(version, `k${version}`);
    await clock.advance(8 * DAY_MS);
    await write(4, 'k4');
    expect(await services.retention.trim(view(), signal)).to.equal(3);
    // Two kept versions with a snapshot and marks each; those of the other three are old enough.
    expect((await services.sweep.run(view(), signal)).blobs).to.equal(6);
    expect(await blobs()).to.equal(4);
    const answer = await services.reader.read(
      view(),
      { seenVersion: 0, known: undefined, waitMs: 0, onWait: (begin) => begin() },
      signal,
    );
    expect(answer.kind).to.equal('snapshot');
    expect(
      (await services.history.list(view(), signal)).map(({ version }) => version),
    ).to.deep.equal([5, 4]);
  });

  it('takes what a writer left that died, an hour later', async () => {
    await write(0, 'k');
    const left = { put: view().keys.chunkOf(`${clock.nowMs()}-0011223344556677`, 0) };
    await store.transact([], [{ ...left, value: Buffer.from('x') }]);
    expect((await services.sweep.run(view(), signal)).blobs).to.equal(0);
    await clock.advance(SWEEP_MIN_AGE_MS);
    expect((await services.sweep.run(view(), signal)).blobs).to.equal(1);
    expect(await blobs()).to.equal(2);
  });

  it('forgets accepted writes after a day', async () => {
    await write(0, 'k');
    await clock.advance(DAY_MS - 1);
    expect((await services.sweep.run(view(), signal)).writes).to.equal(0);
    await clock.advance(2);
    expect((await services.sweep.run(view(), signal)).writes).to.equal(1);
    expect(await services.publisher.outcome(view(), 'k', signal)).to.equal(undefined);
  });
});
