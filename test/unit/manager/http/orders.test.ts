// What people order over HTTP, what nodes hear of it, and locks on the wire.
import { expect } from 'chai';
import { startTestManager, type TestManager } from '../../../support/manager.js';
import { MemoryStore } from '../../../../manager/store/memory/memory-store.js';
import { eventually } from '../../../support/eventually.js';

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';
interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

const HELD = {
  digest: 'd1',
  count: 2,
  items: [
    { id: '1', object: 'database a', why: 'w', command: 'c', kind: 'join' },
    { id: '2', object: 'database b', why: 'w', command: 'c', kind: 'guard' },
  ],
};

describe('the orders of people', () => {
  let store: MemoryStore;
  let manager: TestManager;
  beforeEach(async () => {
    store = new MemoryStore();
    manager = await startTestManager({ store });
    await register();
  });
  afterEach(async () => {
    await manager.close();
    await store.close();
  });

  const askAt = async (
    at: TestManager,
    method: Method,
    url: string,
    body?: object,
  ): Promise<Answer> => {
    const payload = body === undefined ? {} : { payload: body };
    const answer = await at.app.inject({ method, url, ...payload });
    return {
      status: answer.statusCode,
      body: answer.payload === '' ? {} : answer.json(),
    };
  };
  const ask = (method: Method, url: string, body?: object) => askAt(manager, method, url, body);
  const register = (session = 's1', previous?: string) =>
    ask('POST', '/nodes/c', {
      uid: 'u',
      hostname: 'h',
      session,
      ...(previous === undefined ? {} : { 'previous-session': previous }),
    });
  const beat = (more: object = {}, at = manager) =>
    askAt(at, 'PUT', '/nodes/c/1', { uid: 'u', session: 's1', state: 'in-step', ...more });
  const ordersOf = async (at = manager) => (await beat({}, at)).body['orders'];
  const node = async () => (await ask('GET', '/nodes/c/1')).body;
  const events = async () => {
    const answer = await manager.app.inject({ url: '/events?cluster=c' });
    return answer.json<{ kind: string; text: string; node: number | null; after: unknown }[]>();
  };
  const eventOf = (kind: string) =>
    eventually(async () => {
      const found = (await events()).filter((event) => event.kind === kind);
      if (found.length === 0) throw new Error(`no ${kind}`);
      return found;
    });

  describe('pausing', () => {
    it('reaches a node with its next heartbeat and registration, and is shown', async () => {
      expect(await ordersOf()).to.deep.equal({ paused: null, approval: null });
      const paused = await ask('POST', '/nodes/c/1/pause', { reason: 'upgrade' });
      expect(paused.status).to.equal(200);
      expect(paused.body['paused']).to.deep.include({
        scope: 'node',
        by: '127.0.0.1',
        reason: 'upgrade',
      });
      const order = paused.body['paused'];
      expect(await ordersOf()).to.deep.equal({ paused: order, approval: null });
      expect((await register('s1')).body['orders']).to.deep.include({ paused: order });
      expect(await node()).to.have.deep.property('paused', order);
      expect(await eventOf('paused')).to.have.length(1);
    });

    it('twice is as once: the first order stands, and is told once', async () => {
      const first = await ask('POST', '/nodes/c/1/pause', { reason: 'one' });
      const second = await ask('POST', '/nodes/c/1/pause', { reason: 'two' });
      expect(second).to.deep.equal(first);
      await ask('POST', '/nodes/c/1/resume');
      await ask('POST', '/nodes/c/1/resume');
      await eventOf('resumed');
      const kinds = (await events()).map(({ kind }) => kind);
      expect(kinds.filter((kind) => /paused|resumed/.test(kind))).to.deep.equal([
        'paused',
        'resumed',
      ]);
    });

    it('of the cluster holds for all nodes, and leaves those that are paused by themselves', async () => {
      await ask('POST', '/nodes/c', { uid: 'v' });
      await ask('POST', '/nodes/c/1/pause');
      await ask('POST', '/clusters/c/pause', { reason: 'all' });
      const other = await ask('PUT', '/nodes/c/2', { uid: 'v' });
      expect(other.body['orders']).to.have.nested.property('paused.scope', 'cluster');
      expect(await ordersOf()).to.have.nested.property('paused.scope', 'cluster');
      const resumed = await ask('POST', '/clusters/c/resume');
      expect(resumed.body).to.deep.equal({ cluster: 'c', paused: null, 'nodes-paused': [1] });
      expect(await ordersOf()).to.have.nested.property('paused.scope', 'node');
      expect((await ask('PUT', '/nodes/c/2', { uid: 'v' })).body['orders']).to.have.property(
        'paused',
        null,
      );
    });

    it('outlives a restart of the agent, a deregistration and a restart of the manager', async () => {
      await ask('POST', '/nodes/c/1/pause');
      await ask('DELETE', '/nodes/c/1');
      expect((await register('s2', 's1')).body['orders']).to.have.nested.property('paused.scope');
      const other = await startTestManager({ store });
      const answer = await askAt(other, 'GET', '/nodes/c/1');
      expect(answer.body).to.have.nested.property('paused.scope', 'node');
      await other.close();
    });

    it('at one manager is heard at the other, without a store read per heartbeat', async () => {
      const other = await startTestManager({ store });
      expect(await ordersOf(other)).to.deep.equal({ paused: null, approval: null });
      await ask('POST', '/nodes/c/1/pause');
      await eventually(async () => {
        expect(await ordersOf(other)).to.have.nested.property('paused.scope', 'node');
      });
      await other.close();
    });

    it('as a dry run says what would be, and orders nothing', async () => {
      const answer = await ask('POST', '/nodes/c/1/pause?dry-run=true', { reason: 'x' });
      expect(answer.body).to.have.property('dry-run', true);
      expect(answer.body).to.have.nested.property('paused.reason', 'x');
      expect(await ordersOf()).to.deep.equal({ paused: null, approval: null });
      const cluster = await ask('POST', '/clusters/c/pause?dry-run=true');
      expect(cluster.body).to.have.nested.property('paused.scope', 'cluster');
      expect(await ordersOf()).to.deep.equal({ paused: null, approval: null });
    });

    it('what is not there is 404, and makes nothing', async () => {
      expect((await ask('POST', '/nodes/c/9/pause')).body).to.include({ code: 'node-not-found' });
      const none = await ask('POST', '/clusters/none/pause');
      expect(none).to.deep.include({ status: 404 });
      expect((await ask('GET', '/clusters')).body).to.have.length(1);
    });
  });

  describe('deciding what is held', () => {
    const approve = (body: object, query = '') => ask('POST', `/nodes/c/1/approve${query}`, body);

    it('shows what a node holds: whole for one, counted in lists, gone when nothing is held', async () => {
      await beat({ held: HELD });
      expect(await node()).to.have.deep.property('held', HELD);
      const { body } = await ask('GET', '/nodes/c');
      const listed = (body as unknown as { held: unknown }[])[0];
      expect(listed?.held).to.deep.equal({ digest: 'd1', count: 2 });
      await beat();
      expect(await node()).to.have.property('held', null);
    });

    it('orders the decision until the node reports another list', async () => {
      await beat({ held: HELD });
      const answer = await approve({ digest: 'd1', decision: 'drop' });
      expect(answer.body).to.deep.equal({ node: 1, decision: 'drop', held: HELD });
      const approval = { digest: 'd1', decision: 'drop' };
      for (let count = 0; count < 2; count++) {
        const heard = await beat({ held: HELD });
        expect(heard.body['orders']).to.deep.equal({ paused: null, approval });
      }
      // A heartbeat that says nothing of its status does not end it.
      const plain = await ask('PUT', '/nodes/c/1', { uid: 'u' });
      expect(plain.body['orders']).to.deep.include({ approval });
      const other = await beat({ held: { ...HELD, digest: 'd2' } });
      expect(other.body['orders']).to.have.property('approval', null);
      expect((await beat({ held: HELD })).body['orders']).to.have.property('approval', null);
      const [event] = await eventOf('hold-decided');
      expect(event?.text).to.include('database a; database b');
    });

    it('ends with a heartbeat that holds nothing', async () => {
      await beat({ held: HELD });
      await approve({ digest: 'd1', decision: 'keep' });
      expect(await ordersOf()).to.have.property('approval', null);
    });

    it('of another list is refused with the newest list, and orders nothing', async () => {
      await beat({ held: HELD });
      const stale = await approve({ digest: 'd0', decision: 'drop' });
      expect(stale.status).to.equal(409);
      expect(stale.body).to.deep.include({ code: 'held-changed', held: HELD });
      expect((await beat({ held: HELD })).body['orders']).to.have.property('approval', null);
      await beat();
      expect((await approve({ digest: 'd1', decision: 'drop' })).body).to.deep.include({
        code: 'held-changed',
        held: null,
      });
      expect(
        (await ask('POST', '/nodes/c/9/approve', { digest: 'd', decision: 'keep' })).status,
      ).to.equal(404);
    });

    it('can be changed, and is told once for each decision', async () => {
      await beat({ held: HELD });
      await approve({ digest: 'd1', decision: 'keep' });
      await approve({ digest: 'd1', decision: 'keep' });
      await approve({ digest: 'd1', decision: 'drop' });
      await eventually(async () => {
        expect(await eventOf('hold-decided')).to.have.length(2);
      });
    });

    it('as a dry run says what would be let through, and lets nothing through', async () => {
      await beat({ held: HELD });
      const answer = await approve({ digest: 'd1', decision: 'drop' }, '?dry-run=true');
      expect(answer.body).to.deep.equal({
        node: 1,
        decision: 'drop',
        held: HELD,
        'dry-run': true,
      });
      expect((await beat({ held: HELD })).body['orders']).to.have.property('approval', null);
    });

    it('takes long texts of a heartbeat, cut', async () => {
      const item = { id: '1', object: 'x'.repeat(5_000), why: '', command: '', kind: 'join' };
      const answer = await beat({ held: { digest: 'd', count: 1, items: [item] } });
      expect(answer.status).to.equal(200);
      expect(JSON.stringify(await node()).length).to.be.lessThan(2_000);
    });
  });

  describe('dry runs of deleting', () => {
    it('say which node would be deregistered, and leave it', async () => {
      const answer = await ask('DELETE', '/nodes/c/1?dry-run=true');
      expect(answer.status).to.equal(200);
      expect(answer.body).to.have.nested.property('node.id', 1);
      expect(await node()).to.have.property('id', 1);
      expect((await ask('DELETE', '/nodes/c/9?dry-run=true')).status).to.equal(404);
    });

    it('say which cluster would be deleted, refuse as the deletion would, and leave it', async () => {
      const path = '/clusters/c?expect=0';
      expect((await ask('DELETE', `${path}&dry-run=true`)).body).to.include({
        code: 'cluster-not-empty',
      });
      const answer = await ask('DELETE', `${path}&force=true&dry-run=true`);
      expect(answer.body).to.have.nested.property('cluster.name', 'c');
      expect((await ask('GET', '/clusters/c')).status).to.equal(200);
    });
  });

  describe('locks on the wire', () => {
    const lock = (holder: string, ttl = 30) =>
      ask('PUT', '/clusters/c/lock/influxd-restart', { holder, ttl });

    it('answer with the fence, refuse with the holder, and are freed by body or query', async () => {
      expect(await lock('a')).to.deep.equal({ status: 200, body: { fence: 1, ttl: 30 } });
      const taken = await lock('b');
      expect(taken.status).to.equal(409);
      expect(taken.body).to.include({ code: 'lock-held', holder: 'a', 'expires-in-ms': 30_000 });
      const free = (holder: string) =>
        ask('DELETE', `/clusters/c/lock/influxd-restart?holder=${holder}`);
      expect((await free('b')).status).to.equal(204);
      expect((await lock('b')).status).to.equal(409);
      expect((await free('a')).status).to.equal(204);
      expect((await lock('b')).body).to.include({ fence: 2 });
      const byBody = await ask('DELETE', '/clusters/c/lock/influxd-restart', { holder: 'b' });
      expect(byBody.status).to.equal(204);
      expect((await lock('c')).body).to.include({ fence: 3 });
    });

    it('refuse bad input by the field, and clusters that nobody made', async () => {
      expect((await lock('a', 1)).body).to.include({ code: 'body-invalid' });
      expect((await lock('', 30)).body['detail']).to.include('holder');
      expect((await ask('DELETE', '/clusters/c/lock/x')).body['detail']).to.include('holder');
      expect((await ask('PUT', '/clusters/no/lock/x', { holder: 'a', ttl: 5 })).status).to.equal(
        404,
      );
    });
  });
});
