// The registry over HTTP: ids, uids, sessions, heartbeats, liveness, lists.
import { expect } from 'chai';
import type { InjectOptions } from 'fastify';
import { fakeClock, type FakeClock } from '../../../../shared/lifecycle/clock.js';
import type { NodeBody } from '../../../../shared/api/nodes.js';
import { eventually } from '../../../support/eventually.js';
import { startTestManager, type TestManager } from '../../../support/manager.js';
import { MemoryStore } from '../../../../manager/store/memory/memory-store.js';

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

describe('manager nodes API', () => {
  let clock: FakeClock;
  let store: MemoryStore;
  let manager: TestManager;
  beforeEach(async () => {
    clock = fakeClock();
    store = new MemoryStore({ clock });
    manager = await startTestManager({ clock, store });
  });
  afterEach(async () => {
    await manager.close();
    await store.close();
  });

  const ask = async (
    method: InjectOptions['method'] & string,
    url: string,
    body?: object,
    target: TestManager = manager,
  ): Promise<Answer> => {
    const answer = await target.app.inject({
      method: method as 'GET',
      url,
      ...(body === undefined ? {} : { payload: body }),
    });
    return {
      status: answer.statusCode,
      body: answer.payload === '' ? {} : answer.json(),
    };
  };
  const register = (body: object = {}, cluster = 'c') => ask('POST', `/nodes/${cluster}`, body);
  const node = async (id: number, target = manager): Promise<NodeBody> =>
    (await ask('GET', `/nodes/c/${id}`, undefined, target)).body as unknown as NodeBody;

  const agent = (session: string, more: object = {}) => ({
    uid: 'uid-1',
    session,
    candidates: [session],
    hostname: 'h',
    ips: ['10.0.0.1', 'fd00::1'],
    'bind-address': '10.0.0.1:8888',
    ...more,
  });
  const influxd = { 'cluster-id': '18446744073709551615', term: 1, index: 7, started: 't1' };

  describe('registering', () => {
    it('gives each plain client a new id, with the defaults of its address', async () => {
      const first = await register();
      expect(first).to.deep.equal({
        status: 201,
        body: {
          id: 1,
          cluster: 'c',
          ttl: 15,
          'heartbeat-interval': 5,
          version: 0,
          incarnation: '',
          orders: { paused: null, approval: null },
        },
      });
      expect((await register()).body['id']).to.equal(2);
      expect(await node(1)).to.deep.include({
        hostname: '127.0.0.1',
        ip: '127.0.0.1',
        'bind-address': '127.0.0.1:8888',
        alive: true,
      });
    });

    it('gives a uid its id again, also after it was deregistered', async () => {
      expect(await register(agent('s1'))).to.have.property('status', 201);
      const again = await register(agent('s2', { 'previous-session': 's1' }));
      expect(again.status).to.equal(200);
      expect(again.body['id']).to.equal(1);
      expect((await ask('DELETE', '/nodes/c/1')).status).to.equal(204);
      const back = await register(agent('s3', { 'previous-session': 's2' }));
      expect(back).to.deep.include({ status: 200 });
      expect(back.body['id']).to.equal(1);
    });

    it('leaves what a known node says of itself as it was where a registration does not say it', async () => {
      const said = { labels: { rack: 'r1' }, versions: { agent: '0.1.0' } };
      await register(agent('s1', { ...said, 'bind-address': '10.0.0.1:9999' }));
      await register(agent('s2', { 'previous-session': 's1', 'bind-address': undefined }));
      expect(await node(1)).to.deep.include({ ...said, 'bind-address': '10.0.0.1:9999' });
      await register(agent('s3', { 'previous-session': 's2', labels: {}, versions: {} }));
      expect(await node(1)).to.deep.include({
        labels: {},
        versions: {},
        'bind-address': '10.0.0.1:8888',
      });
    });

    it('never gives an id twice, also after its node was deregistered', async () => {
      await register();
      await ask('DELETE', '/nodes/c/1');
      expect((await register()).body['id']).to.equal(2);
    });

    it('gives ids that differ to many who register at once on two managers', async () => {
      const other = await startTestManager({ clock, store });
      const answers = Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          ask('POST', '/nodes/c', {}, index % 2 === 0 ? manager : other),
        ),
      );
      let ids: unknown[] | undefined;
      void answers.then((list) => (ids = list.map(({ body }) => body['id'])));
      while (ids === undefined) await clock.advance(10_000 / 500);
      expect(new Set(ids).size).to.equal(40);
      await other.close();
    });

    it('accepts a session that the agent noted before a lost answer', async () => {
      await register(agent('s1'));
      // s2 was registered, the answer got lost; the agent restarts as s3 and knows s2 as a candidate only.
      await register(agent('s2', { 'previous-session': 's1', candidates: ['s2'] }));
      const again = await register(
        agent('s3', { 'previous-session': 's1', candidates: ['s2', 's3'] }),
      );
      expect(again.status).to.equal(200);
    });

    it('refuses a state directory that was restored or copied', async () => {
      await register(agent('s1'));
      await register(agent('s2', { 'previous-session': 's1' }));
      const copy = await register(agent('s9', { 'previous-session': 's1' }));
      expect(copy.status).to.equal(409);
      expect(copy.body['code']).to.equal('state-not-current');
      expect(copy.body['detail']).to.contain('clusterflux agent rejoin');
    });

    it('refuses a second agent on a running influxd, and names the first', async () => {
      await register(agent('s1', { influxd }));
      const second = await register(agent('x1', { uid: 'uid-2', influxd }), 'other');
      expect(second.status).to.equal(409);
      expect(second.body).to.include({
        code: 'influxd-in-use',
        cluster: 'c',
        id: 1,
        hostname: 'h',
      });
      await clock.advance(16_000);
      const later = () => register(agent('x1', { uid: 'uid-2', influxd }), 'other');
      await eventually(async () => (await later()).status === 201);
    });

    it('keeps ids above those that a snapshot names', async () => {
      const { snapshotNamingNode } = await import('../../../support/snapshots.js');
      await manager.app.inject({
        method: 'PUT',
        url: '/clusters/c/versions/0',
        payload: snapshotNamingNode(41),
      });
      expect((await register()).body['id']).to.equal(42);
    });

    it('refuses fields of the wrong type and says which', async () => {
      const answer = await register({ ips: ['ok', 5] });
      expect(answer.status).to.equal(400);
      expect(answer.body['code']).to.equal('body-invalid');
      expect(answer.body['detail']).to.contain('body field ips.1');
    });

    it('takes JSON under any content type, and no body at all', async () => {
      for (const type of ['application/x-www-form-urlencoded', 'text/plain', undefined]) {
        const answer = await manager.app.inject({
          method: 'POST',
          url: '/nodes/c',
          payload: '{"hostname":"curl"}',
          headers: type === undefined ? {} : { 'content-type': type },
        });
        expect(answer.statusCode).to.equal(201);
      }
      expect((await node(1)).hostname).to.equal('curl');
      expect((await manager.app.inject({ method: 'POST', url: '/nodes/c' })).statusCode).to.equal(
        201,
      );
    });

    it('refuses a body that is not JSON', async () => {
      const answer = await manager.app.inject({
        method: 'POST',
        url: '/nodes/c',
        payload: '{oops',
      });
      expect(answer.statusCode).to.equal(400);
      expect(answer.json()).to.include({ code: 'body-invalid' });
    });
  });

  describe('heartbeats', () => {
    it('keep a node alive, and without them it is listed as not alive', async () => {
      await register();
      for (let beat = 0; beat < 3; beat++) {
        await clock.advance(10_000);
        expect((await ask('PUT', '/nodes/c/1')).status).to.equal(200);
      }
      const seen = await node(1);
      expect(seen.alive).to.equal(true);
      expect(seen['last-seen']).to.equal(new Date(clock.nowMs()).toISOString());
      await clock.advance(15_001);
      await eventually(async () => !(await node(1)).alive);
    });

    it('bring a node back that was silent for longer than its TTL', async () => {
      await register();
      await clock.advance(60_000);
      expect((await ask('PUT', '/nodes/c/1')).status).to.equal(200);
      expect((await node(1)).alive).to.equal(true);
    });

    it('go on at another manager', async () => {
      await register();
      const other = await startTestManager({ clock, store });
      await clock.advance(10_000);
      expect((await ask('PUT', '/nodes/c/1', {}, other)).status).to.equal(200);
      await clock.advance(10_000);
      expect((await ask('PUT', '/nodes/c/1')).status).to.equal(200);
      await clock.advance(10_000);
      expect((await node(1)).alive).to.equal(true);
      await other.close();
    });

    it('tell the newest version and that the registry changed', async () => {
      await register();
      const before = (await ask('PUT', '/nodes/c/1')).body;
      expect(before).to.include({ ttl: 15, version: 0, 'placement-version': 0 });
      await register();
      const { snapshotWith } = await import('../../../support/snapshots.js');
      await manager.app.inject({
        method: 'PUT',
        url: '/clusters/c/versions/0',
        payload: snapshotWith('a'),
      });
      const after = (await ask('PUT', '/nodes/c/1')).body;
      expect(after['version']).to.equal(1);
      expect(after['incarnation']).to.match(/^[0-9a-f-]{36}$/);
      expect(after['registry-revision']).to.be.greaterThan(before['registry-revision'] as number);
    });

    it('carry the status, which is listed', async () => {
      await register(agent('s1'));
      const status = {
        uid: 'uid-1',
        session: 's1',
        version: 3,
        state: 'in-step',
        influxd,
        pending: 2,
        hints: [{ owner: 2, bytes: 10 }],
      };
      await ask('PUT', '/nodes/c/1', status);
      expect(await node(1)).to.deep.include({
        version: 3,
        state: 'in-step',
        pending: 2,
        hints: [{ owner: 2, bytes: 10 }],
        influxd: { ...influxd, term: '1', index: '7' },
        ip: '10.0.0.1,fd00::1',
      });
    });

    it('put a changed status at most every 10 seconds', async () => {
      await register();
      await ask('PUT', '/nodes/c/1', { version: 1 });
      await ask('PUT', '/nodes/c/1', { version: 2 });
      expect((await node(1)).version).to.equal(1);
      await clock.advance(10_000);
      await ask('PUT', '/nodes/c/1', { version: 2 });
      expect((await node(1)).version).to.equal(2);
    });

    it('of a superseded session, or of another uid, are refused on every manager', async () => {
      const other = await startTestManager({ clock, store });
      await register(agent('s1'));
      const old = { uid: 'uid-1', session: 's1' };
      expect((await ask('PUT', '/nodes/c/1', old, other)).status).to.equal(200);
      await register(agent('s2', { 'previous-session': 's1' }));
      for (const target of [manager, other]) {
        const answer = await ask('PUT', '/nodes/c/1', old, target);
        expect(answer.status).to.equal(409);
        expect(answer.body['code']).to.equal('session-superseded');
      }
      expect((await ask('PUT', '/nodes/c/1', { uid: 'uid-2' })).status).to.equal(409);
      await other.close();
    });

    it('of a second agent on one influxd are refused', async () => {
      await register(agent('s1'));
      await ask('PUT', '/nodes/c/1', { influxd });
      await register(agent('x1', { uid: 'uid-2' }));
      const answer = await ask('PUT', '/nodes/c/2', { influxd });
      expect(answer.status).to.equal(409);
      expect(answer.body).to.include({ code: 'influxd-in-use', id: 1 });
      const restarted = { ...influxd, started: 't2' };
      expect((await ask('PUT', '/nodes/c/1', { influxd: restarted })).status).to.equal(200);
      expect((await ask('PUT', '/nodes/c/2', { influxd })).status).to.equal(200);
    });

    it('of an unknown node are answered 404', async () => {
      expect((await ask('PUT', '/nodes/c/1')).body['code']).to.equal('node-not-found');
      await register();
      await ask('PUT', '/nodes/c/1');
      await ask('DELETE', '/nodes/c/1');
      expect((await ask('PUT', '/nodes/c/1')).status).to.equal(404);
      const bad = await ask('PUT', '/nodes/c/abc');
      expect(bad.status).to.equal(400);
    });
  });

  describe('lists', () => {
    it('show managers and nodes in the shape of the original', async () => {
      await register();
      await register({}, 'd');
      const { body } = await ask('GET', '/nodes');
      expect(body['cflux']).to.deep.equal([]);
      expect((body['influx'] as NodeBody[]).map(({ cluster, id }) => [cluster, id])).to.deep.equal([
        ['c', 1],
        ['d', 1],
      ]);
    });

    it('tell a cluster without nodes from one that was never heard of', async () => {
      expect((await ask('GET', '/nodes/c')).body['code']).to.equal('cluster-not-found');
      await register();
      await ask('DELETE', '/nodes/c/1');
      const answer = await manager.app.inject({ url: '/nodes/c' });
      expect(answer.json()).to.deep.equal([]);
    });

    it('answer 404 for an unknown node, and deregistering one too', async () => {
      expect((await ask('GET', '/nodes/c/1')).status).to.equal(404);
      expect((await ask('DELETE', '/nodes/c/1')).status).to.equal(404);
    });
  });
});
