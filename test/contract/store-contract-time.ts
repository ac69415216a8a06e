// The part of the store contract that is about time: watches, leases, abort signals and closing.
import { expect } from 'chai';
import type { WatchEvent } from '../../manager/store/port.js';
import { isAppError } from '../../shared/errors/app-error.js';
import { eventually } from '../support/eventually.js';
import { brief, bytes, codeOf, put, read, type SuiteContext } from './store-contract.js';

/** etcd's smallest TTL in its default configuration. */
const TTL_SECONDS = 2;

/** etcd looks for ended leases twice a second, and a loaded machine adds to that. */
const EXPIRY_MS = TTL_SECONDS * 1_000 + 6_000;

export function watchTests({ store, prefix }: SuiteContext): void {
  describe('watches', () => {
    it('tell every change below the prefix in order, and no other', async () => {
      const events: WatchEvent[] = [];
      await put(store(), `${prefix()}before`, 'x');
      const watch = await store().watch(`${prefix()}in/`, (event) => events.push(event));
      await put(store(), `${prefix()}out`, 'x');
      for (let i = 0; i < 20; i++) await put(store(), `${prefix()}in/k`, String(i));
      await store().transact([], [{ delete: `${prefix()}in/k` }]);
      await put(store(), `${prefix()}in/last`, 'x');
      await eventually(() => events.length >= 22);
      watch.close();
      const expected = Array.from({ length: 20 }, (_, i) => `put in/k=${i}`);
      const seen = events.map((event) => brief(event, prefix()));
      expect(seen).to.deep.equal([...expected, 'delete in/k', 'put in/last=x']);
    });

    it('tell what one transaction changed with one revision', async () => {
      const events: WatchEvent[] = [];
      await put(store(), `${prefix()}old`, 'x');
      const watch = await store().watch(prefix(), (event) => events.push(event));
      const { revision } = await store().transact(
        [],
        [
          { put: `${prefix()}a`, value: bytes('1') },
          { put: `${prefix()}b`, value: bytes('2') },
          { delete: `${prefix()}old` },
        ],
      );
      await eventually(() => events.length === 3);
      watch.close();
      const seen = events.map((event) => brief(event, prefix())).sort();
      expect(seen).to.deep.equal(['delete old', 'put a=1', 'put b=2']);
      const revisions = events.map((event) => {
        if (event.kind === 'reset') return undefined;
        return event.kind === 'put' ? event.entry.modRevision : event.revision;
      });
      expect(new Set(revisions)).to.deep.equal(new Set([revision]));
    });

    it('tell each of several watchers', async () => {
      const counts = [0, 0, 0];
      const watches = await Promise.all(
        counts.map((_, i) => store().watch(prefix(), () => (counts[i] = (counts[i] ?? 0) + 1))),
      );
      await put(store(), `${prefix()}key`, 'x');
      await eventually(() => counts.every((count) => count === 1));
      for (const watch of watches) watch.close();
      expect(counts).to.deep.equal([1, 1, 1]);
    });

    it('tell nothing after they were closed', async () => {
      const closed: WatchEvent[] = [];
      const open: WatchEvent[] = [];
      const first = await store().watch(prefix(), (event) => closed.push(event));
      const second = await store().watch(prefix(), (event) => open.push(event));
      first.close();
      first.close();
      await put(store(), `${prefix()}key`, 'x');
      await eventually(() => open.length === 1);
      second.close();
      expect(closed).to.deep.equal([]);
    });
  });
}

export function leaseTests({ harness, store, prefix }: SuiteContext): void {
  describe('leases', () => {
    it('delete their keys when they end, and watchers see it', async () => {
      const events: WatchEvent[] = [];
      const lease = await store().grantLease(TTL_SECONDS);
      await put(store(), `${prefix()}a`, 'x', lease);
      await put(store(), `${prefix()}b`, 'x', lease);
      const before = await put(store(), `${prefix()}stays`, 'x');
      expect((await store().get(`${prefix()}a`))?.leaseId).to.equal(lease);
      const watch = await store().watch(prefix(), (event) => events.push(event));
      await harness.passTime(TTL_SECONDS * 1_000);
      await eventually(() => events.length === 2, { withinMs: EXPIRY_MS });
      watch.close();
      const seen = events.map((event) => brief(event, prefix())).sort();
      expect(seen).to.deep.equal(['delete a', 'delete b']);
      expect(events[0]).to.have.property('revision').above(before);
      expect(await read(store(), `${prefix()}a`)).to.equal(undefined);
      expect(await read(store(), `${prefix()}stays`)).to.equal('x');
      expect(await store().keepAlive(lease)).to.equal(false);
    });

    it('live on for as long as they are renewed', async () => {
      const lease = await store().grantLease(TTL_SECONDS);
      await put(store(), `${prefix()}key`, 'x', lease);
      for (let passedMs = 0; passedMs < 2 * TTL_SECONDS * 1_000; passedMs += 500) {
        await harness.passTime(500);
        expect(await store().keepAlive(lease)).to.equal(true);
      }
      expect(await read(store(), `${prefix()}key`)).to.equal('x');
      await store().revokeLease(lease);
    });

    it('delete their keys at once when they are revoked', async () => {
      const lease = await store().grantLease(60);
      await put(store(), `${prefix()}key`, 'x', lease);
      await store().revokeLease(lease);
      expect(await read(store(), `${prefix()}key`)).to.equal(undefined);
      expect(await store().keepAlive(lease)).to.equal(false);
      await store().revokeLease(lease);
    });

    it('let go of a key that is put without them, or under another', async () => {
      const first = await store().grantLease(60);
      const second = await store().grantLease(60);
      await put(store(), `${prefix()}free`, '1', first);
      await put(store(), `${prefix()}free`, '2');
      await put(store(), `${prefix()}moved`, '1', first);
      await put(store(), `${prefix()}moved`, '2', second);
      await store().revokeLease(first);
      expect(await read(store(), `${prefix()}free`)).to.equal('2');
      expect(await read(store(), `${prefix()}moved`)).to.equal('2');
      await store().revokeLease(second);
      expect(await read(store(), `${prefix()}moved`)).to.equal(undefined);
    });

    it('say that they are gone where nobody knows them', async () => {
      expect(await store().keepAlive('4711')).to.equal(false);
      await store().revokeLease('4711');
    });

    it('take no key once they are gone, and the transaction changes nothing', async () => {
      const operations = [
        { put: `${prefix()}a`, value: bytes('x') },
        { put: `${prefix()}b`, value: bytes('x'), leaseId: '4711' },
      ];
      const error: unknown = await store()
        .transact([], operations)
        .catch((thrown: unknown) => thrown);
      expect(isAppError(error, 'store-unavailable')).to.equal(true);
      expect(error).to.have.nested.property('details.reason', 'lease-gone');
      expect((await store().range(prefix())).entries).to.deep.equal([]);
    });

    it('are many at once, each with its own end', async () => {
      const leases = await Promise.all(Array.from({ length: 50 }, () => store().grantLease(60)));
      expect(new Set(leases).size).to.equal(50);
      const alive = await Promise.all(leases.map((lease) => store().keepAlive(lease)));
      expect(alive.every(Boolean)).to.equal(true);
      await Promise.all(leases.map((lease) => store().revokeLease(lease)));
      const gone = await Promise.all(leases.map((lease) => store().keepAlive(lease)));
      expect(gone.some(Boolean)).to.equal(false);
    });
  });
}

export function endTests({ harness, store, prefix }: SuiteContext): void {
  describe('ends', () => {
    it('of a caller come first: an aborted signal means that nothing is done', async () => {
      const signal = AbortSignal.abort();
      const operations = [{ put: `${prefix()}key`, value: bytes('x') }];
      const calls = [
        store().transact([], operations, signal),
        store().get(`${prefix()}key`, { signal }),
        store().range(prefix(), { signal }),
        store().watch(prefix(), () => undefined, signal),
        store().grantLease(60, signal),
        store().keepAlive('4711', signal),
      ];
      for (const call of calls) expect(await codeOf(call)).to.equal('aborted');
      expect(await read(store(), `${prefix()}key`)).to.equal(undefined);
    });

    it('are told by health', async () => {
      const another = await harness.openAnother();
      const before = await another.health();
      await another.close();
      const after = await another.health();
      expect([before.reachable, after.reachable]).to.deep.equal([true, false]);
      expect(after.detail).to.match(/closed/);
    });

    it('of the store are final: every later call fails, within a second, and no watch speaks', async () => {
      const another = await harness.openAnother();
      const events: WatchEvent[] = [];
      await another.watch(prefix(), (event) => events.push(event));
      await another.grantLease(60);
      const started = performance.now();
      await another.close();
      await another.close();
      const calls = [
        another.get(`${prefix()}key`),
        another.range(prefix()),
        another.transact([], [{ put: `${prefix()}key`, value: bytes('x') }]),
        another.watch(prefix(), () => undefined),
        another.grantLease(60),
        another.keepAlive('4711'),
      ];
      for (const call of calls) expect(await codeOf(call)).to.equal('store-unavailable');
      expect(performance.now() - started).to.be.below(1_000);
      await put(store(), `${prefix()}key`, 'x');
      expect(events).to.deep.equal([]);
    });
  });
}
