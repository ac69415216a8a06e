import { expect } from 'chai';
import { MemoryStore } from '../../../../../manager/store/memory/memory-store.js';
import { fakeClock } from '../../../../../shared/lifecycle/clock.js';

const put = (key: string, leaseId?: string) => ({
  put: key,
  value: Buffer.from('x'),
  ...(leaseId === undefined ? {} : { leaseId }),
});

describe('the memory store', () => {
  it('ends leases by its clock, each at its own time, the shorter first though it came later', async () => {
    const clock = fakeClock();
    const store = new MemoryStore({ clock });
    const long = await store.grantLease(10);
    const short = await store.grantLease(3);
    await store.transact([], [put('long', long), put('short', short)]);
    await clock.advance(2_999);
    expect((await store.range('')).entries).to.have.length(2);
    await clock.advance(1);
    expect((await store.range('')).entries.map(({ key }) => key)).to.deep.equal(['long']);
    await clock.advance(7_000);
    expect((await store.range('')).entries).to.have.length(0);
    await store.close();
    expect(clock.sleepers).to.equal(0);
  });

  it('raises a TTL below the smallest of etcd to that', async () => {
    const clock = fakeClock();
    const store = new MemoryStore({ clock });
    const lease = await store.grantLease(0.1);
    await clock.advance(1_900);
    expect(await store.keepAlive(lease)).to.equal(true);
    await clock.advance(2_000);
    expect(await store.keepAlive(lease)).to.equal(false);
    await store.close();
  });

  it('is left asleep by nothing once its last lease is gone', async () => {
    const clock = fakeClock();
    const store = new MemoryStore({ clock });
    await store.grantLease(2);
    await clock.advance(2_000);
    expect(clock.sleepers).to.equal(0);
    await store.grantLease(2);
    expect(clock.sleepers).to.equal(1);
    await store.close();
  });

  it('lets a watcher call back into the store, and close itself, while it is told', async () => {
    const store = new MemoryStore();
    const seen: string[] = [];
    const done = new Promise<void>((resolve) => {
      void store.watch('in/', (event) => {
        if (event.kind !== 'put') return;
        seen.push(event.entry.key);
        if (event.entry.key === 'in/2') resolve();
        else void store.transact([], [put('in/2')]);
      });
    });
    await store.transact([], [put('in/1')]);
    await done;
    expect(seen).to.deep.equal(['in/1', 'in/2']);
    await store.close();
  });
});
