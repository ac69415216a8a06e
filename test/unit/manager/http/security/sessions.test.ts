// A token of the role agent, shared by all agents of a cluster, acts for the caller's own node only: the one whose session it
// names. And it takes no decision that is a person's.
import { expect } from 'chai';
import { MemoryStore } from '../../../../../manager/store/memory/memory-store.js';
import type { Store } from '../../../../../manager/store/port.js';
import { systemClock } from '../../../../../shared/lifecycle/clock.js';
import { lossyStore } from '../../../../support/lossy-store.js';
import { startTestManager, type TestManager } from '../../../../support/manager.js';
import { snapshotWith } from '../../../../support/snapshots.js';
import { bearer, tokenFile } from '../../../../support/tokens.js';

describe('a token of the role agent', () => {
  let manager: TestManager;
  beforeEach(async () => {
    manager = await startTestManager({
      tokens: tokenFile({ 'agent:c': 'shared', operator: 'admin' }),
    });
    await register('uid-1', 's-1');
    await register('uid-2', 's-2');
  });
  afterEach(() => manager.close());

  async function call(
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    url: string,
    options: { session?: string; token?: string; headers?: object; payload?: object | Buffer } = {},
  ): Promise<number> {
    const { session, token = 'shared', headers, payload } = options;
    const answer = await manager.app.inject({
      method,
      url,
      headers: {
        ...bearer(token),
        ...(session === undefined ? {} : { 'x-clusterflux-session': session }),
        ...headers,
      },
      ...(payload === undefined ? {} : { payload }),
    });
    return answer.statusCode;
  }
  const register = (uid: string, session: string, previous?: string) =>
    call('POST', '/nodes/c', { payload: { uid, session, 'previous-session': previous } });

  it('deregisters its own node and no other', async () => {
    expect(await call('DELETE', '/nodes/c/1')).to.equal(403);
    expect(await call('DELETE', '/nodes/c/1', { session: 's-2' })).to.equal(403);
    expect(await call('DELETE', '/nodes/c/7', { session: 's-2' })).to.equal(403);
    expect(await call('DELETE', '/nodes/c/2', { session: 's-2' })).to.equal(204);
    expect(await call('DELETE', '/nodes/c/1', { token: 'admin' })).to.equal(204);
  });

  it('writes as its own node and no other, and is judged before its body is read', async () => {
    const write = (node: string, session: string | undefined, version: number) =>
      call('PUT', `/clusters/c/versions/${version}`, {
        ...(session === undefined ? {} : { session }),
        headers: { 'x-clusterflux-node': node },
        payload: snapshotWith('a'),
      });
    expect(await write('1', undefined, 0)).to.equal(403);
    expect(await write('1', 's-2', 0)).to.equal(403);
    expect(await write('0x1', 's-1', 0)).to.equal(403);
    expect(await write('1', 's-1', 0)).to.equal(200);
    expect(await write('2', 's-2', 1)).to.equal(200);
  });

  it('is refused with the old session as soon as the node has registered with a new one', async () => {
    const write = (session: string, version: number) =>
      call('PUT', `/clusters/c/versions/${version}`, {
        session,
        headers: { 'x-clusterflux-node': '1' },
        payload: snapshotWith('a'),
      });
    expect(await write('s-1', 0)).to.equal(200);
    expect(await register('uid-1', 's-1b', 's-1')).to.equal(200);
    expect(await write('s-1b', 1)).to.equal(200);
    expect(await write('s-1', 2)).to.equal(403);
  });

  it('confirms cuts, brings groups and flags others in its own name, and makes nobody complete', async () => {
    const post = (what: string, payload: object, session = 's-1') =>
      call('POST', `/clusters/c/placement/${what}`, { session, payload });
    expect(await post('confirm', { node: 2, version: 0 })).to.equal(403);
    expect(await post('confirm', { node: 1, version: 0 })).to.equal(200);
    expect(await post('adopt', { node: 2, groups: [] })).to.equal(403);
    expect(await post('adopt', { node: 1, groups: [] })).to.equal(200);
    expect(await call('PUT', '/nodes/c/2/behind/1', { session: 's-2' })).to.equal(403);
    expect(await call('PUT', '/nodes/c/2/behind/1', { session: 's-1' })).to.equal(204);
    expect(await call('DELETE', '/nodes/c/2/behind/1', { session: 's-2' })).to.equal(403);
    expect(await call('DELETE', '/nodes/c/2/behind/1', { token: 'admin' })).to.equal(204);
    const lacks = { node: 2, groups: 'all', complete: false, why: 'a hint was not kept' };
    expect(await post('completeness', lacks)).to.equal(200);
    expect(await post('completeness', { ...lacks, complete: true })).to.equal(403);
  });

  it('takes and frees locks in its own name, whichever way the holder is given', async () => {
    const lock = (session: string, holder: string, query = '') =>
      call('PUT', `/clusters/c/lock/restart${query}`, { session, payload: { holder, ttl: 5 } });
    expect(await lock('s-1', 'uid-2')).to.equal(403);
    expect(await lock('s-1', 'uid-2', '?holder=uid-1')).to.equal(403);
    expect(await lock('s-1', 'uid-1')).to.equal(200);
    const free = (holder: string, payload: object) =>
      call('DELETE', `/clusters/c/lock/restart?holder=${holder}`, { session: 's-2', payload });
    expect(await free('uid-1', {})).to.equal(403);
    expect(await free('uid-1', { holder: 'uid-2' })).to.equal(403);
  });

  it('tells events of its own node alone', async () => {
    const tell = (node: number | null, session: string) =>
      call('POST', '/clusters/c/events', { session, payload: { node, kind: 'join', text: 't' } });
    expect(await tell(2, 's-1')).to.equal(403);
    expect(await tell(null, 's-1')).to.equal(403);
    expect(await tell(1, 's-1')).to.equal(201);
  });

  it('sends heartbeats with a session, and a superseded one is told in the words that stop an agent', async () => {
    const beat = (payload: object) => call('PUT', '/nodes/c/1', { payload });
    expect(await beat({})).to.equal(403);
    expect(await beat({ uid: 'uid-1', session: 's-2' })).to.equal(409);
    expect(await beat({ uid: 'uid-1', session: 's-1' })).to.equal(200);
  });

  it('approves nothing', async () => {
    const headers = { 'x-clusterflux-approve': 'f00' };
    const payload = snapshotWith('a');
    expect(await call('PUT', '/clusters/c/versions/0', { headers, payload })).to.equal(403);
    expect(await call('PUT', '/clusters/c/versions/0', { payload })).to.equal(200);
  });
});

describe('the check of a session', () => {
  it('costs no store read where the session is known already', async () => {
    const inner = new MemoryStore({ clock: systemClock() });
    const reads: string[] = [];
    const store: Store = {
      ...lossyStore(inner, () => 'answered'),
      get: (key, options) => {
        reads.push(key);
        return inner.get(key, options);
      },
    };
    const manager = await startTestManager({ store, tokens: tokenFile({ 'agent:c': 'shared' }) });
    const headers = {
      ...bearer('shared'),
      'x-clusterflux-session': 's-1',
      'x-clusterflux-node': '1',
    };
    const payload = { uid: 'uid-1', session: 's-1' };
    await manager.app.inject({ method: 'POST', url: '/nodes/c', headers, payload });
    const write = (version: number) =>
      manager.app.inject({
        method: 'PUT',
        url: `/clusters/c/versions/${version}`,
        headers,
        payload: snapshotWith('a'),
      });
    const key = manager.services.views.of('c').keys.node(1);
    const readsOfTheNode = () => reads.splice(0).filter((each) => each === key).length;
    await write(0);
    expect(readsOfTheNode()).to.be.at.least(1);
    expect((await write(1)).statusCode).to.equal(200);
    expect(readsOfTheNode()).to.equal(0);
    await manager.close();
    await inner.close();
  });
});

describe('what roles see', () => {
  let manager: TestManager;
  before(async () => {
    manager = await startTestManager({
      tokens: tokenFile({
        viewer: 'look',
        'viewer:b': 'look-b',
        operator: 'admin',
        'agent:a': 'a',
      }),
    });
    for (const cluster of ['a', 'b']) {
      await manager.app.inject({
        method: 'POST',
        url: `/nodes/${cluster}`,
        headers: bearer('admin'),
      });
      await manager.app.inject({
        method: 'PUT',
        url: `/clusters/${cluster}/versions/0`,
        headers: bearer('admin'),
        payload: snapshotWith('x'),
      });
    }
  });
  after(() => manager.close());

  const get = async (url: string, token: string, headers: object = {}) =>
    manager.app.inject({ url, headers: { ...bearer(token), ...headers } });

  it('lists show a token of one cluster that cluster alone', async () => {
    const names = async (token: string) =>
      (await get('/clusters', token)).json<{ name: string }[]>().map(({ name }) => name);
    expect(await names('look')).to.deep.equal(['a', 'b']);
    expect(await names('look-b')).to.deep.equal(['b']);
    const { influx } = (await get('/nodes', 'a')).json<{ influx: { cluster: string }[] }>();
    expect(influx.map(({ cluster }) => cluster)).to.deep.equal(['a']);
  });

  it('only agents and operators get the bytes of a snapshot, with its hashes', async () => {
    for (const url of ['/clusters/a/versions/0', '/clusters/a/history/1']) {
      for (const token of ['admin', 'a']) {
        const answer = await get(url, token);
        expect(answer.headers['content-type']).to.equal('application/x-protobuf');
        expect(answer.rawPayload.equals(snapshotWith('x'))).to.equal(true);
      }
      expect((await get(url, 'look')).headers['content-type']).to.equal('application/json');
      const asked = await get(url, 'look', { accept: 'application/x-protobuf' });
      expect(asked.statusCode).to.equal(403);
      expect(asked.json<{ detail: string }>().detail).to.include('agent or operator');
    }
  });

  it('a person is named by the token in the history', async () => {
    const [entry] = (await get('/clusters/a/history', 'look')).json<{ author: object }[]>();
    expect(entry?.author)
      .to.have.property('user')
      .that.matches(/^operator [0-9a-f]{8}$/);
  });

  it('a refusal says which role is needed, and a 401 how to send a token', async () => {
    const refused = await get('/metrics', 'a');
    expect(refused.json()).to.include({ code: 'forbidden', status: 403 });
    expect(refused.json<{ detail: string }>().detail).to.include('the role viewer or operator');
    const nobody = await manager.app.inject({ url: '/metrics' });
    expect(nobody.json()).to.include({ code: 'unauthorized', status: 401 });
    expect(nobody.headers['www-authenticate']).to.equal('Bearer realm="clusterflux"');
    const wrong = await get('/metrics', 'wrong');
    expect(wrong.headers['www-authenticate']).to.include('error="invalid_token"');
  });
});
