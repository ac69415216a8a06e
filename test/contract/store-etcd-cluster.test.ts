// etcd as it is run in earnest: with three members, and with users.
import { expect } from 'chai';
import { Etcd3 } from 'etcd3';
import { EtcdStore } from '../../manager/store/etcd/etcd-store.js';
import { silentLogger } from '../../shared/log/logger.js';
import { startEtcd } from '../support/etcd.js';
import { eventually } from '../support/eventually.js';
import { brief, codeOf, put } from './store-contract.js';

/** Short, so that what waits for a deadline does not take the suite's time. */
const QUICK = { timeoutMs: 1_000, watchCheckMs: 200, watchSilentMs: 800 };

describe('store on etcd with three members', () => {
  // Elections take etcd a second or two each, and more on a loaded machine.
  it('goes on when the member in use dies or freezes, and its watches move', async () => {
    const etcd = await startEtcd({ members: 3 });
    const store = new EtcdStore({ endpoints: etcd.endpoints, logger: silentLogger(), ...QUICK });
    try {
      const seen: string[] = [];
      await store.watch('/', (event) => seen.push(brief(event, '/')));
      await put(store, '/a', '1');
      await etcd.kill9(0);
      await eventually(() => put(store, '/b', '2'), { withinMs: 10_000 });
      await etcd.restart(0);
      await etcd.pause(1);
      await eventually(() => put(store, '/c', '3'), { withinMs: 10_000 });
      etcd.resume(1);
      await eventually(() => seen.includes('reset'), { withinMs: 10_000 });
      const before = seen.length;
      await eventually(() => put(store, '/d', '4'), { withinMs: 10_000 });
      // Told by itself, or by a reset where the stream was built anew meanwhile; and not the last of all: a write that the
      // frozen member had taken in may come through only now.
      const isTold = () =>
        seen.slice(before).some((each) => each === 'put d=4' || each === 'reset');
      await eventually(isTold, { withinMs: 10_000 });
      const { entries } = await store.range('/');
      expect(entries.map((entry) => entry.value.toString())).to.deep.equal(['1', '2', '3', '4']);
    } finally {
      await store.close();
      await etcd.stop();
    }
  }).timeout(60_000);
});

describe('store on etcd with users', () => {
  it('logs in, and says in words what is wrong with a password', async () => {
    const etcd = await startEtcd();
    const admin = new Etcd3({ hosts: [...etcd.endpoints] });
    await admin.auth.userAdd({ name: 'root', password: 'geheim' });
    await admin.auth.roleAdd({ name: 'root' });
    await admin.auth.userGrantRole({ user: 'root', role: 'root' });
    await admin.auth.authEnable();
    admin.close();
    const options = {
      endpoints: etcd.endpoints,
      logger: silentLogger(),
      ...QUICK,
      username: 'root',
    };
    const right = new EtcdStore({ ...options, password: 'geheim' });
    const wrong = new EtcdStore({ ...options, password: 'falsch' });
    const nobody = new EtcdStore({ endpoints: etcd.endpoints, logger: silentLogger(), ...QUICK });
    try {
      const seen: string[] = [];
      await right.watch('/', (event) => seen.push(brief(event, '/')));
      const lease = await right.grantLease(60);
      await put(right, '/a', '1', lease);
      expect(await right.keepAlive(lease)).to.equal(true);
      await eventually(() => seen.length === 1);
      const health = await wrong.health();
      expect(health.reachable).to.equal(false);
      expect(health.detail).to.match(/check the user name and password/);
      expect(await codeOf(wrong.transact([], []))).to.equal('store-unavailable');
      expect(await codeOf(nobody.get('/a'))).to.equal('store-unavailable');
    } finally {
      for (const store of [right, wrong, nobody]) await store.close();
      await etcd.stop();
    }
  });

  it('goes on with a password while etcd begins and ends to ask for it, reading, writing and watching', async () => {
    const etcd = await startEtcd();
    const open = new Etcd3({ hosts: [...etcd.endpoints] });
    const auth = { username: 'root', password: 'geheim' };
    const admin = new Etcd3({ hosts: [...etcd.endpoints], auth });
    await open.auth.userAdd({ name: 'root', password: 'geheim' });
    await open.auth.roleAdd({ name: 'root' });
    await open.auth.userGrantRole({ user: 'root', role: 'root' });
    const store = new EtcdStore({
      ...QUICK,
      ...auth,
      endpoints: etcd.endpoints,
      logger: silentLogger(),
    });
    try {
      const seen: string[] = [];
      await put(store, '/a', '1');
      await store.watch('/', (event) => seen.push(brief(event, '/')));
      await open.auth.authEnable();
      await put(store, '/b', '2');
      await admin.auth.authDisable();
      // A token that was good before is not asked for any more, and a new stream can't have one.
      await etcd.restart();
      await eventually(() => put(store, '/c', '3'), { withinMs: 10_000 });
      const isTold = () => seen.some((each) => each === 'put c=3' || each === 'reset');
      await eventually(isTold, { withinMs: 10_000 });
      expect((await store.range('/')).entries).to.have.length(3);
    } finally {
      await store.close();
      for (const client of [open, admin]) client.close();
      await etcd.stop();
    }
  }).timeout(60_000);
});
