// What a heartbeat costs, and what becomes of liveness when leases or replies are lost.
import { expect } from 'chai';
import type { Services } from '../../../../manager/services.js';
import type { Registration } from '../../../../manager/nodes/registrar.js';
import { MemoryStore } from '../../../../manager/store/memory/memory-store.js';
import type { Store } from '../../../../manager/store/port.js';
import { lossyStore, type Fate } from '../../../support/lossy-store.js';
import { servicesOver } from '../../../support/services.js';

const signal = new AbortController().signal;
const STATUS = { version: 1, state: 'in-step', pending: 0, hints: [] };

describe('heartbeats', () => {
  let store: MemoryStore;
  beforeEach(() => {
    store = new MemoryStore();
  });
  afterEach(() => store.close());

  it('cost one keep-alive and nothing else while nothing changes', async () => {
    const calls: string[] = [];
    const services = servicesOver(counted(store, calls));
    const view = services.views.of('c');
    const { id } = await services.registrar.register(view, registration('u'), signal);
    const beat = async () => {
      await services.heartbeats.refresh(view, id, heartbeat('u'), signal);
      await view.feed.latest();
      await services.orders.settle(view, id, undefined, signal);
      await services.orders.of(view, id);
    };
    await beat();
    calls.length = 0;
    for (let count = 0; count < 5; count++) await beat();
    expect(calls).to.deep.equal(Array.from({ length: 5 }, () => 'keepAlive'));
    services.views.close();
  });

  it('put the liveness under a new lease where the old one is gone', async () => {
    const services = servicesOver(store);
    const view = services.views.of('c');
    const { id } = await services.registrar.register(view, registration('u'), signal);
    await services.heartbeats.refresh(view, id, heartbeat('u'), signal);
    const before = await store.get(view.keys.aliveOf(id));
    await store.revokeLease(before?.leaseId ?? '');
    expect(await store.get(view.keys.aliveOf(id))).to.equal(undefined);
    await services.heartbeats.refresh(view, id, heartbeat('u'), signal);
    const after = await store.get(view.keys.aliveOf(id));
    expect(after?.leaseId).to.be.a('string');
    expect(after?.leaseId).to.not.equal(before?.leaseId);
    services.views.close();
  });

  it('go on with the lease that another manager made', async () => {
    const [one, two] = [servicesOver(store), servicesOver(store)];
    const { id } = await one.registrar.register(one.views.of('c'), registration('u'), signal);
    const beat = (services: Services) =>
      services.heartbeats.refresh(services.views.of('c'), id, heartbeat('u'), signal);
    await beat(one);
    await beat(two);
    const key = one.views.of('c').keys.aliveOf(id);
    await store.revokeLease((await store.get(key))?.leaseId ?? '');
    await beat(two);
    const lease = (await store.get(key))?.leaseId;
    await beat(one);
    expect((await store.get(key))?.leaseId).to.equal(lease);
    for (const services of [one, two]) services.views.close();
  });

  it('and registrations survive lost replies, with one id', async () => {
    const fates: Fate[] = ['reply-lost', 'request-lost'];
    const services = servicesOver(lossyStore(store, () => fates.shift() ?? 'answered'));
    const view = services.views.of('c');
    const first = await services.registrar.register(view, registration(undefined), signal);
    expect(first).to.deep.include({ id: 1, isNew: true });
    const second = await services.registrar.register(view, registration('u'), signal);
    expect(second).to.deep.include({ id: 2, isNew: true });
    fates.push('reply-lost');
    await store.revokeLease((await store.get(view.keys.aliveOf(2)))?.leaseId ?? '');
    await services.heartbeats.refresh(view, 2, heartbeat('u'), signal);
    expect(await store.get(view.keys.aliveOf(2))).to.not.equal(undefined);
    services.views.close();
  });
});

function registration(uid: string | undefined): Registration {
  return {
    uid,
    session: uid === undefined ? undefined : 's',
    previousSession: undefined,
    candidates: [],
    hostname: 'h',
    ips: ['10.0.0.1'],
    bindAddress: '10.0.0.1:8888',
    defaultAddress: '10.0.0.1:8888',
    labels: {},
    versions: {},
    influxd: undefined,
  };
}

function heartbeat(uid: string) {
  return { uid, session: 's', status: STATUS };
}

function counted(store: Store, calls: string[]): Store {
  const note = <T>(name: string, result: T): T => {
    calls.push(name);
    return result;
  };
  return {
    location: store.location,
    get: (...args) => note('get', store.get(...args)),
    range: (...args) => note('range', store.range(...args)),
    transact: (...args) => note('transact', store.transact(...args)),
    watch: (...args) => note('watch', store.watch(...args)),
    grantLease: (...args) => note('grantLease', store.grantLease(...args)),
    keepAlive: (...args) => note('keepAlive', store.keepAlive(...args)),
    revokeLease: (...args) => note('revokeLease', store.revokeLease(...args)),
    health: (...args) => note('health', store.health(...args)),
    close: () => store.close(),
  };
}
