// Locks: one holder, a fence that only rises, and an end by the TTL.
import { expect } from 'chai';
import { Locks } from '../../../../manager/locks/locks.js';
import { Keys } from '../../../../manager/store/keys.js';
import { MemoryStore } from '../../../../manager/store/memory/memory-store.js';
import { fakeClock, type FakeClock } from '../../../../shared/lifecycle/clock.js';
import { eventually } from '../../../support/eventually.js';
import { lossyStore, type Fate } from '../../../support/lossy-store.js';

const signal = new AbortController().signal;
const keys = new Keys('/clusterflux').cluster('c');

describe('locks', () => {
  let clock: FakeClock;
  let store: MemoryStore;
  let locks: Locks;
  beforeEach(() => {
    clock = fakeClock();
    store = new MemoryStore({ clock });
    locks = new Locks({ store });
  });
  afterEach(() => store.close());

  const take = (holder: string, ttlSeconds = 10, name = 'restart') =>
    locks.acquire(keys, { name, holder, ttlSeconds }, signal);
  const free = (holder: string) => locks.release(keys, { name: 'restart', holder }, signal);

  it('are taken by one holder, and name it to the others', async () => {
    expect(await take('a')).to.deep.equal({ kind: 'held', fence: 1, ttlSeconds: 10 });
    const other = await take('b');
    expect(other).to.deep.equal({ kind: 'taken', holder: 'a', expiresInMs: 10_000 });
  });

  it('of different names have nothing to do with each other', async () => {
    await take('a');
    expect(await take('b', 10, 'other')).to.deep.include({ kind: 'held', fence: 1 });
  });

  it('are renewed by their holder, and keep their fence', async () => {
    await take('a');
    for (let count = 0; count < 5; count++) {
      await clock.advance(8_000);
      expect(await take('a')).to.deep.include({ kind: 'held', fence: 1 });
    }
    expect(await take('b')).to.have.property('kind', 'taken');
  });

  it('take another TTL with a renewal', async () => {
    await take('a', 10);
    expect(await take('a', 60)).to.deep.equal({ kind: 'held', fence: 1, ttlSeconds: 60 });
    await clock.advance(50_000);
    expect(await take('b')).to.have.property('kind', 'taken');
    await clock.advance(20_000);
    expect(await take('b')).to.deep.include({ kind: 'held', fence: 2 });
  });

  it('of a holder that died are free after the TTL, with a higher fence, also for that holder', async () => {
    await take('a');
    await clock.advance(15_000);
    expect(await take('a')).to.deep.include({ kind: 'held', fence: 2 });
    await clock.advance(15_000);
    expect(await take('b')).to.deep.include({ kind: 'held', fence: 3 });
    expect(await take('a')).to.have.property('kind', 'taken');
  });

  it('are freed by their holder alone', async () => {
    await take('a');
    await free('b');
    expect(await take('b')).to.have.property('kind', 'taken');
    await free('a');
    expect(await take('b')).to.deep.include({ kind: 'held', fence: 2 });
    await free('a');
    expect(await take('a')).to.have.property('kind', 'taken');
  });

  it('go to one of many who ask at the same time, over two managers', async () => {
    const other = new Locks({ store });
    const asked = Array.from({ length: 30 }, (_, index) =>
      (index % 2 === 0 ? locks : other).acquire(
        keys,
        { name: 'restart', holder: `h${index}`, ttlSeconds: 10 },
        signal,
      ),
    );
    const outcomes = await withTime(Promise.all(asked));
    const held = outcomes.filter(({ kind }) => kind === 'held');
    expect(held).to.deep.equal([{ kind: 'held', fence: 1, ttlSeconds: 10 }]);
  });

  it('have one holder whatever becomes of the replies of the store', async () => {
    const fates: Fate[] = ['reply-lost', 'request-lost', 'answered', 'reply-lost', 'answered'];
    const lossy = new Locks({ store: lossyStore(store, () => fates.shift() ?? 'answered') });
    const request = { name: 'restart', holder: 'a', ttlSeconds: 10 };
    const outcome = await withTime(lossy.acquire(keys, request, signal));
    expect(outcome).to.have.property('kind', 'held');
    expect(await take('b')).to.deep.include({ kind: 'taken', holder: 'a' });
    expect(await take('a')).to.deep.equal(outcome);
  });

  it('leave nothing behind but the fence', async () => {
    await take('a');
    await Promise.all(['b', 'c', 'd'].map((holder) => take(holder)));
    await free('a');
    expect(await store.get(keys.lock('restart'))).to.equal(undefined);
    expect(await store.get(keys.fence('restart'))).to.not.equal(undefined);
  });

  /** The waits between tries are of the system's clock. */
  async function withTime<T>(work: Promise<T>): Promise<T> {
    let result: { value: T } | undefined;
    void work.then((value) => {
      result = { value };
    });
    return eventually(() => {
      if (result === undefined) throw new Error('not settled');
      return result.value;
    });
  }
});
