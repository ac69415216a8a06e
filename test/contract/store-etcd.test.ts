// What only a real etcd can show: lost replies, frozen and restarted servers, compaction, renewals by the thousand.
import { expect } from 'chai';
import { EtcdStore, type EtcdStoreOptions } from '../../manager/store/etcd/etcd-store.js';
import type { Store, WatchEvent } from '../../manager/store/port.js';
import { silentLogger } from '../../shared/log/logger.js';
import { startEtcd, type Etcd } from '../support/etcd.js';
import { eventually } from '../support/eventually.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { brief, bytes, codeOf, put, read } from './store-contract.js';

/** Short, so that what waits for a deadline does not take the suite's time. */
const TIMEOUT_MS = 1_000;
const QUICK = { timeoutMs: TIMEOUT_MS, watchCheckMs: 200, watchSilentMs: 800 };

describe('store on etcd', () => {
  let etcd: Etcd;
  let stores: EtcdStore[] = [];
  let proxies: TcpProxy[] = [];
  let startedAt = 0;

  const open = (
    endpoints: readonly string[] = etcd.endpoints,
    options: Partial<EtcdStoreOptions> = {},
  ): EtcdStore => {
    const store = new EtcdStore({ endpoints, logger: silentLogger(), ...QUICK, ...options });
    stores.push(store);
    return store;
  };
  /** A store whose connections all go through a proxy. */
  const openThroughProxy = async (): Promise<{ store: EtcdStore; proxy: TcpProxy }> => {
    const proxy = await startTcpProxy(etcd.ports[0]!);
    proxies.push(proxy);
    return { proxy, store: open([`http://127.0.0.1:${proxy.port}`]) };
  };

  before(async () => {
    startedAt = performance.now();
    etcd = await startEtcd();
  });
  afterEach(async () => {
    for (const store of stores) await store.close();
    for (const proxy of proxies) await proxy.stop();
    stores = [];
    proxies = [];
  });
  after(async () => {
    await etcd.stop();
    console.log(`    etcd: ${Math.round(performance.now() - startedAt)} ms`);
  });

  describe('lost replies', () => {
    it('make the outcome unknown, never "refused", though the write went through', async () => {
      const { store, proxy } = await openThroughProxy();
      await store.health();
      proxy.swallowReplies(true);
      const key = '/lost/reply';
      const lost = store.transact([{ key, is: 'absent' }], [{ put: key, value: bytes('ours') }]);
      await eventually(async () => (await read(open(), key)) === 'ours');
      proxy.cut();
      expect(await codeOf(lost)).to.equal('outcome-unknown');
      proxy.heal();
      expect(await read(store, key)).to.equal('ours');
    });

    it('make the outcome unknown at the deadline too, and the write is not sent again', async () => {
      const { store, proxy } = await openThroughProxy();
      await store.health();
      proxy.swallowReplies(true);
      const before = await open().range('/lost/');
      const lost = store.transact([], [{ put: '/lost/deadline', value: bytes('x') }]);
      expect(await codeOf(lost)).to.equal('outcome-unknown');
      proxy.cut();
      proxy.heal();
      const after = await open().range('/lost/');
      expect(after.revision).to.equal(before.revision + 1);
    });

    it('make the outcome unknown where the caller aborts while the write is on its way', async () => {
      const { store, proxy } = await openThroughProxy();
      await store.health();
      proxy.swallowReplies(true);
      const abort = new AbortController();
      const write = store.transact([], [{ put: '/lost/abort', value: bytes('x') }], abort.signal);
      await eventually(async () => (await read(open(), '/lost/abort')) === 'x');
      abort.abort();
      expect(await codeOf(write)).to.equal('outcome-unknown');
    });

    it('are made good for a read by asking again', async () => {
      const { store, proxy } = await openThroughProxy();
      await put(store, '/lost/read', 'x');
      const reading = store.range('/lost/read');
      proxy.cut();
      proxy.heal();
      expect((await reading).entries).to.have.length(1);
    });
  });

  describe('unreachable servers', () => {
    it('are told at once where nobody listens, and a write is known not to be done', async () => {
      const { store, proxy } = await openThroughProxy();
      await proxy.stop();
      proxies = [];
      const started = performance.now();
      expect(await codeOf(store.get('/x'))).to.equal('store-unavailable');
      expect(await codeOf(store.transact([], []))).to.equal('store-unavailable');
      expect(await codeOf(store.keepAlive('4711'))).to.equal('store-unavailable');
      expect(performance.now() - started).to.be.below(TIMEOUT_MS);
      expect((await store.health()).reachable).to.equal(false);
    });

    it('that are frozen are given up within the deadline, and serve again when they thaw', async () => {
      const store = open();
      const lease = await store.grantLease(60);
      await put(store, '/frozen/key', 'x');
      await etcd.pause();
      try {
        const started = performance.now();
        const unavailable = Array.from({ length: 4 }, () => 'store-unavailable');
        const codes = await Promise.all([
          codeOf(store.transact([], [{ put: '/frozen/other', value: bytes('x') }])),
          codeOf(store.get('/frozen/key')),
          codeOf(store.grantLease(60)),
          codeOf(store.keepAlive(lease)),
          codeOf(store.watch('/frozen/', () => undefined)),
        ]);
        expect(codes).to.deep.equal(['outcome-unknown', ...unavailable]);
        expect(performance.now() - started).to.be.below(2 * TIMEOUT_MS);
      } finally {
        etcd.resume();
      }
      await eventually(async () => (await read(store, '/frozen/key')) === 'x');
      expect(await store.keepAlive(lease)).to.equal(true);
    });

    it('do not hold up closing', async () => {
      const store = open();
      await store.watch('/frozen/', () => undefined);
      await etcd.pause();
      try {
        const reading = store.get('/frozen/key').catch(() => undefined);
        const started = performance.now();
        await store.close();
        expect(performance.now() - started).to.be.below(500);
        await reading;
      } finally {
        etcd.resume();
      }
    });
  });

  describe('watches', () => {
    const watched = async (store: Store, prefix: string): Promise<string[]> => {
      const seen: string[] = [];
      await store.watch(prefix, (event: WatchEvent) => seen.push(brief(event, prefix)));
      return seen;
    };

    it('survive a restart of etcd: they say reset, and later changes come', async () => {
      const store = open();
      const seen = await watched(store, '/restart/');
      await put(store, '/restart/a', '1');
      await eventually(() => seen.length === 1);
      await etcd.restart();
      await eventually(() => seen.at(-1) === 'reset', { withinMs: 10_000 });
      await put(store, '/restart/b', '2');
      await eventually(() => seen.at(-1) === 'put b=2');
      expect(seen).to.deep.equal(['put a=1', 'reset', 'put b=2']);
    });

    it('say reset after a time in which the history was compacted away, and later changes come', async () => {
      const { store, proxy } = await openThroughProxy();
      const direct = open();
      const seen = await watched(store, '/compacted/');
      proxy.cut();
      await put(direct, '/compacted/missed', '1');
      await direct.compact(await put(direct, '/compacted/missed', '2'));
      await direct.compact(1);
      proxy.heal();
      await eventually(() => seen.includes('reset'));
      await put(direct, '/compacted/later', '3');
      await eventually(() => seen.at(-1) === 'put later=3');
      expect(seen).to.deep.equal(['reset', 'put later=3']);
    });

    it('find out by themselves that a connection is half open, and say reset', async () => {
      const { store, proxy } = await openThroughProxy();
      const seen = await watched(store, '/half/');
      proxy.holdHalfOpen(true);
      await put(open(), '/half/missed', '1');
      await eventually(() => store.health().then(({ reachable }) => !reachable));
      proxy.heal();
      await eventually(() => seen.includes('reset'), { withinMs: 8_000 });
      await put(open(), '/half/later', '2');
      await eventually(() => seen.at(-1) === 'put later=2');
    });

    it('stay quiet and connected for longer than their check while nothing changes', async () => {
      const store = open(etcd.endpoints, { watchCheckMs: 20, watchSilentMs: 100 });
      const seen = await watched(store, '/quiet/');
      const started = performance.now();
      await eventually(() => performance.now() - started > 1_000);
      await put(store, '/quiet/key', '1');
      await eventually(() => seen.length > 0);
      expect(seen).to.deep.equal(['put key=1']);
    });

    it('share one stream, come and go on it, and see what others write', async () => {
      const store = open();
      const other = open();
      const all = await Promise.all(
        Array.from({ length: 30 }, (_, i) => watched(store, `/share/${i}/`)),
      );
      const passing = await store.watch('/share/', () => undefined);
      passing.close();
      for (let i = 0; i < 30; i++) await put(other, `/share/${i}/k`, String(i));
      await eventually(() => all.every((seen) => seen.length === 1));
      expect(all.map((seen) => seen[0])).to.deep.equal(all.map((_, i) => `put k=${i}`));
    });
  });

  describe('leases', () => {
    it('are renewed over one stream at 2,000 a second and more', async () => {
      const store = open();
      const leases = await Promise.all(Array.from({ length: 200 }, () => store.grantLease(60)));
      const started = performance.now();
      for (let round = 0; round < 20; round++) {
        const alive = await Promise.all(leases.map((lease) => store.keepAlive(lease)));
        expect(alive.every(Boolean)).to.equal(true);
      }
      const perSecond = 4_000 / ((performance.now() - started) / 1_000);
      console.log(`      ${Math.round(perSecond)} renewals per second`);
      expect(perSecond).to.be.above(2_000);
    });

    it('are renewed again after the stream broke', async () => {
      const { store, proxy } = await openThroughProxy();
      const lease = await store.grantLease(60);
      expect(await store.keepAlive(lease)).to.equal(true);
      proxy.cut();
      expect(await codeOf(store.keepAlive(lease))).to.equal('store-unavailable');
      proxy.heal();
      expect(await store.keepAlive(lease)).to.equal(true);
    });
  });

  describe('maintenance', () => {
    it('tells version and size, and takes a compaction twice', async () => {
      const store = open();
      const status = await store.status();
      expect(status.version).to.equal(etcd.version);
      expect(status.dbSize).to.be.above(0);
      expect((await store.health()).detail).to.contain(etcd.version);
      const revision = await put(store, '/maintenance', 'x');
      await store.compact(revision);
      await store.compact(revision);
    });
  });
});
