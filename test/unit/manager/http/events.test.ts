// Events over HTTP: what the manager tells by itself, what nodes tell, the list, and the stream.
import { expect } from 'chai';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { EventBody } from '../../../../shared/api/events.js';
import { fakeClock } from '../../../../shared/lifecycle/clock.js';
import { MemoryStore } from '../../../../manager/store/memory/memory-store.js';
import { eventually } from '../../../support/eventually.js';
import { startTestManager, type TestManager } from '../../../support/manager.js';
import { snapshotWith } from '../../../support/snapshots.js';

interface Stream {
  readonly status: number;
  readonly type: string;
  readonly events: EventBody[];
  readonly text: () => string;
  readonly isEnded: () => boolean;
  close(): void;
}

describe('events', () => {
  let store: MemoryStore;
  let manager: TestManager;
  const streams: Stream[] = [];
  beforeEach(async () => {
    store = new MemoryStore();
    manager = await startTestManager({ store, listen: true, maxEvents: 200 });
    await register();
  });
  afterEach(async () => {
    for (const each of streams.splice(0)) each.close();
    await manager.close();
    await store.close();
  });

  const register = (body: object = { uid: 'u', hostname: 'h' }) =>
    manager.app.inject({ method: 'POST', url: '/nodes/c', payload: body });
  const tell = (body: object, url = '/clusters/c/events') =>
    manager.app.inject({ method: 'POST', url, payload: body });
  const list = async (query = 'cluster=c'): Promise<EventBody[]> =>
    (await manager.app.inject({ url: `/events?${query}` })).json<EventBody[]>();
  const ofKind = (kind: string, query?: string) =>
    eventually(async () => {
      const found = (await list(query)).filter((event) => event.kind === kind);
      if (found.length === 0) throw new Error(`no ${kind} yet`);
      return found;
    });
  const join = (text: string, more: object = {}) => tell({ node: 1, kind: 'join', text, ...more });

  async function follow(
    query = 'cluster=c',
    headers: Record<string, string> = {},
    at = manager,
  ): Promise<Stream> {
    const url = `${at.url}/events?${query}`;
    const options = { headers: { accept: 'text/event-stream', ...headers } };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      httpRequest(url, options, resolve).on('error', reject).end();
    });
    let text = '';
    let isEnded = false;
    const events: EventBody[] = [];
    response.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const frames = text.split('\n\n').filter((frame) => frame.startsWith('id: '));
      events.splice(0, events.length, ...frames.flatMap(parseFrame));
    });
    for (const end of ['end', 'close', 'error']) response.on(end, () => (isEnded = true));
    const stream = {
      status: response.statusCode ?? 0,
      type: String(response.headers['content-type']),
      events,
      text: () => text,
      isEnded: () => isEnded,
      close: () => response.destroy(),
    };
    streams.push(stream);
    return stream;
  }
  const seen = (stream: Stream, ...texts: string[]) =>
    eventually(() => {
      expect(stream.events.map(({ text }) => text)).to.deep.equal(texts);
    });

  describe('that the manager tells', () => {
    it('are registrations, once each, and deregistrations', async () => {
      const [registered] = await ofKind('node-registered');
      expect(registered).to.deep.include({
        id: 1,
        cluster: 'c',
        node: 1,
        kind: 'node-registered',
        text: 'node 1 (h) was registered',
        before: null,
      });
      await register();
      await manager.app.inject({ method: 'DELETE', url: '/nodes/c/1' });
      await ofKind('node-deregistered');
      await register();
      await eventually(async () => {
        expect((await list()).map(({ kind }) => kind)).to.deep.equal([
          'node-registered',
          'node-deregistered',
          'node-registered',
        ]);
      });
    });

    it('are versions, with what changed and who wrote them', async () => {
      const url = '/clusters/c/versions/0';
      const headers = { 'x-clusterflux-node': '1', 'idempotency-key': 'k' };
      const payload = Buffer.from(snapshotWith('telegraf'));
      const write = { method: 'PUT', url, headers, payload } as const;
      expect((await manager.app.inject(write)).statusCode).to.equal(200);
      // The same write once more is the same version.
      expect((await manager.app.inject(write)).statusCode).to.equal(200);
      const versions = await ofKind('version');
      expect(versions).to.have.length(1);
      expect(versions[0]?.text).to.match(/^version 1 by node 1: .*database telegraf: created/);
      expect(versions[0]?.after).to.have.property('version', 1);
      await join('x');
      expect((await list()).filter(({ kind }) => kind === 'version')).to.have.length(1);
    });

    it('are nodes that are lost and come back, told once over two managers', async () => {
      const clock = fakeClock();
      const shared = new MemoryStore({ clock });
      const both = await Promise.all([1, 2].map(() => startTestManager({ store: shared, clock })));
      const [one, two] = both as [TestManager, TestManager];
      const ask = (method: 'POST' | 'PUT', url: string, payload: object) =>
        one.app.inject({ method, url, payload });
      const kinds = async () => {
        const answer = await two.app.inject({ url: '/events?cluster=c' });
        return answer.json<EventBody[]>().map(({ kind, node }) => `${kind} ${node}`);
      };
      await ask('POST', '/nodes/c', { uid: 'u' });
      await ask('POST', '/nodes/c', { uid: 'v' });
      two.services.liveness.ensure('c');
      await one.app.inject({ method: 'DELETE', url: '/nodes/c/2' });
      await clock.advance(100);
      await clock.advance(20_000);
      const before = ['node-registered 1', 'node-registered 2', 'node-deregistered 2'];
      await eventually(async () => {
        await clock.advance(100);
        expect(await kinds()).to.deep.equal([...before, 'node-lost 1']);
      });
      await ask('PUT', '/nodes/c/1', { uid: 'u' });
      await eventually(async () => {
        await clock.advance(100);
        expect(await kinds()).to.deep.equal([...before, 'node-lost 1', 'node-returned 1']);
      });
      for (const each of both) await each.close();
      await shared.close();
    });
  });

  describe('that nodes tell', () => {
    it('are kept with their values, and answered with their id', async () => {
      await ofKind('node-registered');
      const answer = await join('joined', { before: { a: 1 }, after: ['b'] });
      expect(answer.statusCode).to.equal(201);
      expect(answer.json()).to.deep.equal({ id: 2 });
      const [event] = await ofKind('join');
      expect(event).to.deep.include({ node: 1, text: 'joined', before: { a: 1 }, after: ['b'] });
      expect(event).to.not.have.any.keys('key', 'op');
    });

    it('are one where they have one key', async () => {
      const first = await join('a', { key: 'k' });
      expect((await join('b', { key: 'k' })).json()).to.deep.equal(first.json());
      expect(await ofKind('join')).to.have.length(1);
    });

    it('are refused where they are what only the manager may tell, or of a cluster that nobody made', async () => {
      expect((await tell({ node: 1, kind: 'node-lost', text: 'x' })).statusCode).to.equal(400);
      expect((await tell({ node: 0, kind: 'join', text: 'x' })).statusCode).to.equal(400);
      const other = await tell({ node: 1, kind: 'join', text: 'x' }, '/clusters/none/events');
      expect(other.statusCode).to.equal(404);
    });
  });

  describe('as a list', () => {
    it('are those after an id, or the newest', async () => {
      await ofKind('node-registered');
      for (const text of ['a', 'b', 'c']) await join(text);
      const texts = async (query: string) => (await list(query)).map(({ text }) => text);
      expect(await texts('cluster=c&since=1')).to.deep.equal(['a', 'b', 'c']);
      expect(await texts('cluster=c&since=1&limit=2')).to.deep.equal(['a', 'b']);
      expect(await texts('cluster=c&limit=2')).to.deep.equal(['b', 'c']);
      expect(await texts('cluster=c&since=99')).to.deep.equal([]);
    });

    it('of all clusters are in the order of their times', async () => {
      await ofKind('node-registered');
      await manager.app.inject({ method: 'POST', url: '/nodes/d', payload: {} });
      await ofKind('node-registered', 'cluster=d');
      await join('last');
      expect((await list('')).map(({ cluster, id }) => `${cluster} ${id}`)).to.deep.equal([
        'c 1',
        'd 1',
        'c 2',
      ]);
    });

    it('say what is wrong with a question', async () => {
      const ask = async (query: string) =>
        (await manager.app.inject({ url: `/events?${query}` })).statusCode;
      expect(await ask('cluster=none')).to.equal(404);
      expect(await ask('since=3')).to.equal(400);
      expect(await ask('cluster=c&since=x')).to.equal(400);
      expect(await ask('cluster=c&limit=0')).to.equal(400);
    });
  });

  describe('as a stream', () => {
    beforeEach(() => ofKind('node-registered'));

    it('come as they happen, from now on or from an id on', async () => {
      await join('before');
      const now = await follow();
      const since = await follow('cluster=c&since=1');
      expect(now).to.deep.include({ status: 200, type: 'text/event-stream' });
      await join('after');
      await seen(now, 'after');
      await seen(since, 'before', 'after');
      expect(since.events.map(({ id }) => id)).to.deep.equal([2, 3]);
    });

    it('are resumed by the last id, without a gap and without doubles', async () => {
      const first = await follow();
      await join('a');
      await seen(first, 'a');
      first.close();
      await join('b');
      const again = await follow('cluster=c&since=0', { 'last-event-id': '2' });
      await join('c');
      await seen(again, 'b', 'c');
    });

    it('come from another manager too, and all that are kept, in order', async () => {
      const other = await startTestManager({ store, listen: true });
      const stream = await follow('cluster=c&since=0', {}, other);
      await Promise.all(Array.from({ length: 120 }, (_, index) => join(`e${index}`)));
      await eventually(() => {
        expect(stream.events).to.have.length(121);
      });
      expect(stream.events.map(({ id }) => id)).to.deep.equal(
        Array.from({ length: 121 }, (_, index) => index + 1),
      );
      stream.close();
      await other.close();
    });

    it('share one watch, which goes with the last follower', async () => {
      const [one, two] = await Promise.all([follow(), follow()]);
      await eventually(() => {
        expect(manager.services.events.following).to.equal(2);
      });
      one.close();
      await eventually(() => {
        expect(manager.services.events.following).to.equal(1);
      });
      await join('x');
      await seen(two, 'x');
      two.close();
      await eventually(() => {
        expect(manager.services.events.following).to.equal(0);
      });
    });

    it('end at once when the manager stops, and no new one begins', async () => {
      const stream = await follow();
      manager.drain();
      await eventually(() => {
        expect(stream.isEnded()).to.equal(true);
      });
      expect((await follow()).status).to.equal(503);
    });

    it('count as waiting readers, and are refused beyond manager.max-waiters', async () => {
      const small = await startTestManager({ store, listen: true, maxWaiters: 1 });
      const first = await follow('cluster=c', {}, small);
      await eventually(() => {
        expect(small.services.events.following).to.equal(1);
      });
      expect((await follow('cluster=c', {}, small)).status).to.equal(503);
      const read = await small.app.inject({ url: '/clusters/c/versions/0' });
      expect(read.json()).to.include({ code: 'too-many-waiters' });
      first.close();
      await small.close();
    });

    it('have a comment now and then, and are asked for with one cluster', async () => {
      const quick = await startTestManager({
        store,
        listen: true,
        limits: { requestTimeoutMs: 40 },
      });
      const stream = await follow('cluster=c', {}, quick);
      await eventually(() => {
        expect(stream.text()).to.match(/^retry: \d+\n\n:\n\n:\n\n/);
      });
      stream.close();
      await quick.close();
      expect((await follow('')).status).to.equal(400);
      expect((await follow('cluster=none')).status).to.equal(404);
    });

    it('are cut for a reader that takes nothing', async () => {
      const quick = await startTestManager({
        store,
        listen: true,
        limits: { requestTimeoutMs: 100 },
      });
      const stalled = await new Promise<IncomingMessage>((resolve, reject) => {
        const headers = { accept: 'text/event-stream' };
        httpRequest(`${quick.url}/events?cluster=c`, { headers }, resolve)
          .on('error', reject)
          .end();
      });
      stalled.pause();
      const long = 'x'.repeat(7_000);
      const { events } = quick.services;
      for (let batch = 0; batch < 400 && events.following > 0; batch++) {
        await tell({ node: 1, kind: 'join', text: 'x', before: long, after: long });
      }
      await eventually(() => {
        expect(events.following).to.equal(0);
      });
      stalled.destroy();
      await quick.close();
    });
  });
});

function parseFrame(frame: string): EventBody[] {
  const data = /^data: (.*)$/m.exec(frame)?.[1];
  try {
    return data === undefined ? [] : [JSON.parse(data) as EventBody];
  } catch {
    // Not whole yet: the rest comes with the next chunk.
    return [];
  }
}
