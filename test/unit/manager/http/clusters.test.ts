// Clusters, their history, differences and marks over HTTP, and the manager's own pages.
import { expect } from 'chai';
import { startTestManager, type TestManager } from '../../../support/manager.js';
import { database, policy, snapshotOf, snapshotWith, user } from '../../../support/snapshots.js';

describe('manager clusters API', () => {
  let manager: TestManager;
  beforeEach(async () => {
    manager = await startTestManager();
  });
  afterEach(() => manager.close());

  const get = async (url: string) => {
    const answer = await manager.app.inject({ url });
    return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() };
  };
  const write = (version: number, payload: Buffer, headers: Record<string, string> = {}) =>
    manager.app.inject({
      method: 'PUT',
      url: `/clusters/c/versions/${version}`,
      payload,
      headers,
    });
  const remove = async (query: string) => {
    const answer = await manager.app.inject({ method: 'DELETE', url: `/clusters/c${query}` });
    return {
      status: answer.statusCode,
      code: answer.payload && answer.json<{ code: string }>().code,
    };
  };

  describe('clusters', () => {
    it('are listed with version, incarnation and nodes', async () => {
      await write(0, snapshotWith('a'));
      await manager.app.inject({ method: 'POST', url: '/nodes/c' });
      const { body } = await get('/clusters/c');
      expect(body).to.deep.include({ name: 'c', version: 1, nodes: { alive: 1, all: 1 } });
      expect(body['incarnation']).to.match(/^[0-9a-f-]{36}$/);
      expect(body['updated-at']).to.match(/^\d{4}-\d\d-\d\dT/);
      expect((await get('/clusters')).body).to.deep.equal([body]);
      expect((await get('/clusters/d')).body['code']).to.equal('cluster-not-found');
    });

    it('are deleted only at the version that the caller has seen', async () => {
      await write(0, snapshotWith('a'));
      expect(await remove('')).to.deep.equal({ status: 400, code: 'version-invalid' });
      expect(await remove('?expect=x')).to.deep.equal({ status: 400, code: 'version-invalid' });
      expect(await remove('?expect=0')).to.deep.equal({ status: 409, code: 'version-conflict' });
      expect((await remove('?expect=1')).status).to.equal(204);
      expect(await remove('?expect=1')).to.deep.equal({ status: 404, code: 'cluster-not-found' });
      expect((await get('/clusters')).body).to.deep.equal([]);
    });

    it('are not deleted while a node is alive, but by force', async () => {
      await manager.app.inject({ method: 'POST', url: '/nodes/c' });
      expect(await remove('?expect=0')).to.deep.equal({ status: 409, code: 'cluster-not-empty' });
      expect((await remove('?force=true')).status).to.equal(204);
      expect((await get('/nodes/c')).status).to.equal(404);
    });

    it('come back with another incarnation, and go on counting ids', async () => {
      const first = await write(0, snapshotWith('a'));
      await manager.app.inject({ method: 'POST', url: '/nodes/c' });
      await remove('?force=true');
      const second = await write(0, snapshotWith('a'));
      expect(second.json<{ version: number }>().version).to.equal(1);
      expect(second.headers['x-clusterflux-incarnation']).to.not.equal(
        first.headers['x-clusterflux-incarnation'],
      );
      const registered = await manager.app.inject({ method: 'POST', url: '/nodes/c' });
      expect(registered.json<{ id: number }>().id).to.equal(2);
    });
  });

  describe('history', () => {
    it('lists versions newest first, with author and changes in words', async () => {
      await write(0, snapshotOf(database('telegraf'), policy('telegraf', 'week', 168)));
      await write(1, snapshotOf(database('telegraf'), policy('telegraf', 'week', 72)), {
        'x-clusterflux-node': '3',
      });
      const { body } = await get('/clusters/c/history');
      const [second, first] = body as unknown as Record<string, unknown>[];
      expect(second).to.deep.include({
        version: 2,
        author: { node: 3 },
        changes: ['retention policy telegraf.week: duration 168h → 72h'],
      });
      expect(first?.['changes']).to.include('database telegraf: created');
      expect((await get('/clusters/d/history')).status).to.equal(404);
    });

    it('gives the snapshot of a kept version, and 404 for others', async () => {
      const body = snapshotWith('a');
      await write(0, body);
      await write(1, snapshotWith('b'));
      const kept = await manager.app.inject({ url: '/clusters/c/history/1' });
      expect(kept.rawPayload.equals(body)).to.equal(true);
      expect(kept.headers['x-clusterflux-version']).to.equal('1');
      expect((await get('/clusters/c/history/9')).body['code']).to.equal('version-not-found');
      expect((await get('/clusters/d/history/1')).body['code']).to.equal('cluster-not-found');
    });

    it('tells the difference of two versions, without hashes', async () => {
      await write(0, snapshotOf(user('alice', 'hash-1')));
      await write(1, snapshotOf(user('alice', 'hash-2'), database('a')));
      const answer = await manager.app.inject({ url: '/clusters/c/diff?from=1' });
      expect(answer.payload).to.not.match(/hash-\d/);
      const diff = answer.json<{ from: number; to: number; changes: { text: string }[] }>();
      expect(diff).to.include({ from: 1, to: 2 });
      expect(diff.changes.map(({ text }) => text)).to.deep.equal([
        'database a: created',
        'user alice: password changed',
      ]);
      expect((await get('/clusters/c/diff?from=0&to=1')).status).to.equal(200);
      expect((await get('/clusters/c/diff?from=1&to=7')).body['code']).to.equal(
        'version-not-found',
      );
      expect((await get('/clusters/c/diff')).body['code']).to.equal('version-invalid');
      expect((await get('/clusters/c/diff?from=x')).body['code']).to.equal('version-invalid');
    });

    it('gives marks and tombstones of a version', async () => {
      await write(0, snapshotWith('a'));
      await write(1, snapshotWith('b'), { 'x-clusterflux-node': '4' });
      const { body } = await get('/clusters/c/marks/2');
      expect(body['marks']).to.deep.include({ object: 'database', path: ['b'], mark: 2 });
      const [stone] = body['tombstones'] as Record<string, unknown>[];
      expect(stone).to.include({ object: 'database', mark: 1, version: 2, node: 4 });
      expect((await get('/clusters/c/marks/1')).body).to.deep.include({ tombstones: [] });
      expect((await get('/clusters/c/marks/0')).body).to.deep.include({ marks: [] });
      expect((await get('/clusters/c/marks/5')).status).to.equal(404);
    });
  });

  describe('the manager itself', () => {
    it('is alive and ready while the store answers, and not ready when it drains', async () => {
      for (const url of ['/healthz', '/livez', '/readyz']) {
        expect((await get(url)).status, url).to.equal(200);
        expect((await manager.app.inject({ method: 'HEAD', url })).statusCode, url).to.equal(200);
      }
      manager.drain();
      expect((await get('/readyz')).status).to.equal(503);
      expect((await get('/livez')).status).to.equal(200);
    });

    it('tells version and status', async () => {
      expect((await get('/version')).body).to.include({ version: '0.0.0' });
      expect((await get('/status')).body).to.deep.include({ ready: true, waiters: 0 });
    });

    it('counts requests by route, never by name', async () => {
      await get('/clusters/secret-name');
      const { payload } = await manager.app.inject({ url: '/metrics' });
      expect(payload).to.contain(
        'clusterflux_manager_requests_total{route="/clusters/:cluster",method="GET",status="404"} 1',
      );
      expect(payload).to.not.contain('secret-name');
    });

    it('answers unknown routes and wrong methods as problems', async () => {
      const unknown = await get('/nope/x');
      expect(unknown.status).to.equal(404);
      expect(unknown.body).to.include({ code: 'route-not-found', title: 'Not Found' });
      const wrong = await manager.app.inject({
        method: 'PATCH',
        url: '/nodes/c',
        payload: '{oops',
      });
      expect(wrong.statusCode).to.equal(405);
      expect(wrong.headers['allow']).to.equal('GET, POST');
      expect(wrong.json()).to.include({ code: 'route-not-found', status: 405 });
    });

    it('gives every answer a request id, and takes over the one of the caller', async () => {
      const given = await manager.app.inject({
        url: '/clusters/nope',
        headers: { 'x-request-id': 'abc-1' },
      });
      expect(given.json()).to.include({ 'request-id': 'abc-1' });
      expect(given.headers['x-request-id']).to.equal('abc-1');
      const bad = await manager.app.inject({ url: '/healthz', headers: { 'x-request-id': 'a b' } });
      expect(bad.headers['x-request-id']).to.match(/^[0-9a-f-]{36}$/);
    });

    it('describes its API from the schemas that validate', async () => {
      const { body } = await get('/openapi.json');
      expect(body['openapi']).to.equal('3.1.0');
      const paths = body['paths'] as Record<string, object>;
      expect(Object.keys(paths)).to.include('/clusters/{cluster}/versions/{version}');
      expect(paths['/nodes/{cluster}']).to.have.keys('get', 'post');
    });
  });
});
