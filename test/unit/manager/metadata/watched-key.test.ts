// One key as a manager knows it, and the sharing of reads: nothing is missed, nothing is older than it was asked for.
import { expect } from 'chai';
import { Coalescer } from '../../../../manager/store/coalescer.js';
import { MemoryStore } from '../../../../manager/store/memory/memory-store.js';
import type { Store, WatchEvent } from '../../../../manager/store/port.js';
import { WatchedKey } from '../../../../manager/store/watched-key.js';
import { AppError } from '../../../../shared/errors/app-error.js';
import { memoryLogger } from '../../../../shared/log/logger.js';
import { eventually } from '../../../support/eventually.js';

describe('coalescer', () => {
  it('never lets a caller join a read that began before it asked', async () => {
    const ends: ((value: number) => void)[] = [];
    const coalescer = new Coalescer<number>(() => new Promise((resolve) => ends.push(resolve)));
    const first = coalescer.run();
    const second = coalescer.run();
    const third = coalescer.run();
    expect(ends).to.have.length(1);
    ends[0]?.(1);
    expect(await first).to.equal(1);
    await eventually(() => ends.length === 2);
    ends[1]?.(2);
    expect(await Promise.all([second, third])).to.deep.equal([2, 2]);
    expect(ends).to.have.length(2);
  });

  it('reads again after a failure, which only its own callers see', async () => {
    let calls = 0;
    const coalescer = new Coalescer(async () => {
      calls += 1;
      if (calls === 1) throw new Error('first');
      return calls;
    });
    const results = await Promise.allSettled([coalescer.run(), coalescer.run()]);
    expect(results.map(({ status }) => status)).to.deep.equal(['rejected', 'fulfilled']);
  });
});

describe('watched key', () => {
  let store: MemoryStore;
  let changes: (string | undefined)[];
  beforeEach(() => {
    store = new MemoryStore();
    changes = [];
  });
  afterEach(() => store.close());

  const watched = (over: Store = store, logger = memoryLogger()) =>
    new WatchedKey({
      store: over,
      key: 'k',
      logger,
      decode: (entry) => {
        const text = entry.value.toString();
        if (text === 'bad') throw new AppError('store-format-unknown', 'too new');
        return text;
      },
      onChange: (value) => changes.push(value),
    });
  const put = (key: string, value: string, target: Store = store) =>
    target.transact([], [{ put: key, value: Buffer.from(value) }]);

  it('reads afresh on demand and hears of every later change', async () => {
    const key = watched();
    expect(await key.fresh()).to.equal(undefined);
    await put('k', 'one');
    await eventually(() => key.current === 'one');
    await put('k2', 'other');
    await store.transact([], [{ delete: 'k' }]);
    await eventually(() => changes.length === 2);
    expect(changes).to.deep.equal(['one', undefined]);
    key.close();
  });

  it('takes what was just put here before the watch tells, and not twice', async () => {
    const key = watched();
    await key.fresh();
    const { revision } = await put('k', 'one');
    const entry = (await store.get('k'))!;
    key.accept(entry, 'one');
    expect(key.current).to.equal('one');
    expect(entry.modRevision).to.equal(revision);
    await put('k', 'two');
    await eventually(() => key.current === 'two');
    expect(changes).to.deep.equal(['one', 'two']);
    key.close();
  });

  it('reads again after a reset, until a read succeeds', async () => {
    let tell: (event: WatchEvent) => void = () => undefined;
    let failures = 2;
    const deaf: Store = {
      ...methodsOf(store),
      watch: async (_prefix, onEvent) => {
        tell = onEvent;
        return { close: () => undefined };
      },
      range: async (...args) => {
        if (failures > 0 && changes.length > 0) {
          failures -= 1;
          throw new AppError('store-unavailable', 'away');
        }
        return store.range(...args);
      },
    };
    await put('k', 'one');
    const key = watched(deaf);
    expect(await key.fresh()).to.equal('one');
    await put('k', 'two');
    tell({ kind: 'reset' });
    await eventually(() => key.current === 'two');
    expect(failures).to.equal(0);
    key.close();
  });

  it('believes a store that went back in time', async () => {
    await put('x', '1');
    await put('x', '2');
    await put('k', 'late');
    const restored = new MemoryStore();
    let current: Store = store;
    const moving: Store = {
      ...methodsOf(store),
      range: (...args) => current.range(...args),
    };
    const key = watched(moving);
    expect(await key.fresh()).to.equal('late');
    await put('k', 'early', restored);
    current = restored;
    expect(await key.fresh()).to.equal('early');
    key.close();
    await restored.close();
  });

  it('throws what it cannot read to whoever asks, and tells nobody else', async () => {
    const logger = memoryLogger();
    const key = watched(store, logger);
    await put('k', 'bad');
    let code: unknown;
    await key.fresh().catch((error: unknown) => (code = (error as AppError).code));
    expect(code).to.equal('store-format-unknown');
    expect(changes).to.deep.equal([]);
    expect(logger.lines.map(({ level }) => level)).to.deep.equal(['error']);
    await put('k', 'good');
    expect(await key.fresh()).to.equal('good');
    key.close();
  });

  it('tries again to watch after the store was away', async () => {
    let isAway = true;
    const flaky: Store = {
      ...methodsOf(store),
      watch: async (...args) => {
        if (isAway) throw new AppError('store-unavailable', 'away');
        return store.watch(...args);
      },
    };
    const key = watched(flaky);
    let failed = false;
    await key.fresh().catch(() => (failed = true));
    expect(failed).to.equal(true);
    isAway = false;
    expect(await key.fresh()).to.equal(undefined);
    key.close();
  });
});

function methodsOf(store: Store): Store {
  return {
    location: store.location,
    get: (...args) => store.get(...args),
    range: (...args) => store.range(...args),
    transact: (...args) => store.transact(...args),
    watch: (...args) => store.watch(...args),
    grantLease: (...args) => store.grantLease(...args),
    keepAlive: (...args) => store.keepAlive(...args),
    revokeLease: (...args) => store.revokeLease(...args),
    health: (...args) => store.health(...args),
    close: () => store.close(),
  };
}
