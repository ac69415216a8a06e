// The manager's API as clients see it: a listening server, plain requests, two managers over one store. One suite over the
// store in memory and over a real etcd.
import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { MemoryStore } from '../../manager/store/memory/memory-store.js';
import { EtcdStore } from '../../manager/store/etcd/etcd-store.js';
import type { Store } from '../../manager/store/port.js';
import type { ClusterBody } from '../../shared/api/clusters.js';
import type { NodeBody, RegistryBody } from '../../shared/api/nodes.js';
import { silentLogger } from '../../shared/log/logger.js';
import { startEtcd, type Etcd } from '../support/etcd.js';
import { eventually } from '../support/eventually.js';
import { startTestManager, type TestManager } from '../support/manager.js';
import { snapshotOf, snapshotWith, user } from '../support/snapshots.js';

/** The smallest that etcd grants. */
const TTL_MS = 2_000;

interface Backend {
  readonly name: string;
  start(): Promise<void>;
  /** A store of its own for each manager, over the same data where there is one. */
  open(): Store;
  stop(): Promise<void>;
}

function memoryBackend(): Backend {
  let store: MemoryStore;
  return {
    name: 'memory',
    start: async () => {
      store = new MemoryStore();
    },
    open: () => store,
    stop: () => store.close(),
  };
}

function etcdBackend(): Backend {
  let etcd: Etcd;
  const stores: Store[] = [];
  return {
    name: 'etcd',
    start: async () => {
      etcd = await startEtcd();
    },
    open: () => {
      const store = new EtcdStore({ endpoints: etcd.endpoints, logger: silentLogger() });
      stores.push(store);
      return store;
    },
    stop: async () => {
      await Promise.all(stores.map((store) => store.close()));
      await etcd.stop();
    },
  };
}

for (const backend of [memoryBackend(), etcdBackend()]) {
  describe(`manager API over ${backend.name}`, function () {
    this.timeout(30_000);
    let one: TestManager;
    let two: TestManager;
    let count = 0;
    let cluster = '';

    before(async () => {
      await backend.start();
      const start = () =>
        startTestManager({
          store: backend.open(),
          listen: true,
          ttlMs: TTL_MS,
          maxSnapshotBytes: 64 * 1024 * 1024,
        });
      [one, two] = [await start(), await start()];
    });
    after(async () => {
      await Promise.all([one.close(), two.close()]);
      await backend.stop();
    });
    beforeEach(() => {
      cluster = `cluster-${(count += 1)}`;
    });

    const versions = (manager: TestManager, version: number, query = '') =>
      `${manager.url}/clusters/${cluster}/versions/${version}${query}`;
    const write = (manager: TestManager, version: number, body: Buffer, headers = {}) =>
      fetch(versions(manager, version), { method: 'PUT', body, headers });
    const register = (manager: TestManager, body: object = {}) =>
      fetch(`${manager.url}/nodes/${cluster}`, { method: 'POST', body: JSON.stringify(body) });
    const json = async <T>(response: Response | Promise<Response>): Promise<T> =>
      (await (await response).json()) as T;

    it('serves the calls of the original: register, refresh, list, write, read', async () => {
      const registered = await register(one, {
        hostname: 'influx-1',
        ips: ['10.0.0.1', '10.0.0.2'],
        'bind-address': '10.0.0.1:8888',
      });
      expect(registered.status).to.equal(201);
      const { id } = await json<{ id: number }>(registered);
      const refreshed = await fetch(`${one.url}/nodes/${cluster}/${id}`, { method: 'PUT' });
      expect(refreshed.status).to.equal(200);
      const { influx } = await json<RegistryBody>(fetch(`${two.url}/nodes`));
      expect(influx.find((node) => node.cluster === cluster)).to.include({
        id,
        ip: '10.0.0.1,10.0.0.2',
        hostname: 'influx-1',
        'bind-address': '10.0.0.1:8888',
        alive: true,
      });
      expect((await write(one, 0, snapshotWith('telegraf'))).status).to.equal(200);
      const read = await fetch(versions(two, 0));
      expect(read.headers.get('x-clusterflux-version')).to.equal('1');
      expect(Buffer.from(await read.arrayBuffer()).equals(snapshotWith('telegraf'))).to.equal(true);
    });

    it('lists on one manager at once what was registered on the other', async () => {
      for (let round = 0; round < 10; round++) {
        const [from, to] = round % 2 === 0 ? [one, two] : [two, one];
        const { id } = await json<{ id: number }>(register(from));
        const nodes = await json<NodeBody[]>(fetch(`${to.url}/nodes/${cluster}`));
        expect(nodes.map((node) => node.id)).to.include(id);
      }
    });

    it('gives a lock to one holder, frees it by its TTL, and raises its fence', async () => {
      await register(one);
      const lock = async (manager: TestManager, holder: string) => {
        const url = `${manager.url}/clusters/${cluster}/lock/restart`;
        const answer = await fetch(url, {
          method: 'PUT',
          body: JSON.stringify({ holder, ttl: 2 }),
        });
        return { status: answer.status, body: await json<Record<string, unknown>>(answer) };
      };
      expect(await lock(one, 'a')).to.deep.equal({ status: 200, body: { fence: 1, ttl: 2 } });
      expect((await lock(two, 'b')).body).to.include({ code: 'lock-held', holder: 'a' });
      expect((await lock(two, 'a')).body).to.include({ fence: 1 });
      // The holder is silent from here on.
      const taken = await eventually(
        async () => {
          const { status, body } = await lock(two, 'b');
          expect(status).to.equal(200);
          return body;
        },
        { withinMs: 10_000, everyMs: 100 },
      );
      expect(taken).to.include({ fence: 2 });
      expect((await lock(one, 'a')).body).to.include({ code: 'lock-held', holder: 'b' });
    });

    it('tells once, over both managers, that a node came and was lost, and streams it', async () => {
      const { id } = await json<{ id: number }>(register(one, { hostname: 'h' }));
      const gone = new AbortController();
      const stream = await fetch(`${two.url}/events?cluster=${cluster}&since=0`, {
        headers: { accept: 'text/event-stream' },
        signal: gone.signal,
      });
      two.services.liveness.ensure(cluster);
      const kinds = async () => {
        const url = `${one.url}/events?cluster=${cluster}`;
        const events = await json<{ id: number; kind: string; node: number }[]>(fetch(url));
        expect(events.map((event) => event.node)).to.deep.equal(events.map(() => id));
        return events.map((event) => `${event.id} ${event.kind}`);
      };
      await eventually(
        async () => {
          expect(await kinds()).to.deep.equal(['1 node-registered', '2 node-lost']);
        },
        { withinMs: 10_000, everyMs: 100 },
      );
      await fetch(`${two.url}/nodes/${cluster}/${id}`, { method: 'PUT' });
      await eventually(async () => {
        expect((await kinds()).slice(1)).to.deep.equal(['2 node-lost', '3 node-returned']);
      });
      let text = '';
      for await (const chunk of stream.body ?? []) {
        text += Buffer.from(chunk as Uint8Array).toString();
        if (text.includes('node-returned')) break;
      }
      gone.abort();
      expect(text.match(/^id: \d+$/gm)).to.deep.equal(['id: 1', 'id: 2', 'id: 3']);
    });

    it('carries a pause from one manager to a node that beats at the other', async () => {
      const { id } = await json<{ id: number }>(register(one));
      const url = (manager: TestManager, rest = '') =>
        `${manager.url}/nodes/${cluster}/${id}${rest}`;
      const ordered = async () => {
        const answer = await json<{ orders: { paused: unknown } }>(
          fetch(url(two), { method: 'PUT' }),
        );
        return answer.orders.paused;
      };
      expect(await ordered()).to.equal(null);
      await fetch(url(one, '/pause'), { method: 'POST', body: '{"reason":"x"}' });
      await eventually(async () => {
        expect(await ordered()).to.deep.include({ scope: 'node', reason: 'x' });
      });
    });

    it('releases a waiting reader by a write on the other manager', async () => {
      await write(one, 0, snapshotWith('a'));
      const waiting = fetch(versions(two, 1, '?wait=10s'));
      await eventually(() => two.services.views.waiting === 1);
      await write(one, 1, snapshotWith('a', 'b'));
      const answer = await waiting;
      expect(answer.status).to.equal(200);
      expect(answer.headers.get('x-clusterflux-version')).to.equal('2');
    });

    it('feeds many waiting readers by one store watch', async () => {
      await write(one, 0, snapshotWith('a'));
      const waiting = Array.from({ length: 50 }, () => fetch(versions(two, 1, '?wait=10s')));
      await eventually(() => two.services.views.waiting === 50);
      await write(one, 1, snapshotWith('a', 'b'));
      for (const answer of await Promise.all(waiting)) {
        expect(answer.headers.get('x-clusterflux-version')).to.equal('2');
        expect((await answer.arrayBuffer()).byteLength).to.be.greaterThan(0);
      }
    });

    it('ends the wait of a client that goes away', async () => {
      const abort = new AbortController();
      const waiting = fetch(versions(one, 0, '?wait=10s'), { signal: abort.signal });
      await eventually(() => one.services.views.waiting === 1);
      abort.abort();
      await waiting.catch(() => undefined);
      await eventually(() => one.services.views.waiting === 0, { withinMs: 1_000 });
    });

    it('lets exactly one of many racing writers win each version', async () => {
      const winners: number[] = [];
      await Promise.all(
        Array.from({ length: 8 }, async (_, writer) => {
          let version = 0;
          for (;;) {
            const manager = writer % 2 === 0 ? one : two;
            const answer = await write(manager, version, snapshotOf(user(`w${writer}`)));
            version = Number(answer.headers.get('x-clusterflux-version'));
            await answer.arrayBuffer();
            if (answer.status === 200) break;
            expect(answer.status).to.equal(409);
          }
          winners.push(version);
        }),
      );
      expect(winners.sort((a, b) => a - b)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8]);
    });

    it('answers the same key the same, on whichever manager it comes again', async () => {
      const headers = { 'idempotency-key': 'key' };
      const first = await write(one, 0, snapshotWith('a'), headers);
      await write(one, 1, snapshotWith('b'));
      const again = await write(two, 0, snapshotWith('a'), headers);
      expect(again.status).to.equal(200);
      expect(again.headers.get('etag')).to.equal(first.headers.get('etag'));
      expect(await again.text()).to.equal(await first.text());
    });

    it('keeps a snapshot of 20 MB within the limits of the store', async () => {
      const users = Array.from({ length: 20_000 }, (_, index) =>
        user(`user-${index}`, randomBytes(750).toString('base64')),
      );
      const body = snapshotOf(...users);
      expect(body.length).to.be.greaterThan(20_000_000);
      expect((await write(one, 0, body)).status).to.equal(200);
      const read = Buffer.from(await (await fetch(versions(two, 0))).arrayBuffer());
      expect(read.equals(body)).to.equal(true);
    });

    it('lists a node as not alive after its TTL, and alive again after a heartbeat', async () => {
      const { id } = await json<{ id: number }>(register(one));
      const isAlive = async () =>
        (await json<NodeBody>(fetch(`${two.url}/nodes/${cluster}/${id}`))).alive;
      expect(await isAlive()).to.equal(true);
      await eventually(async () => !(await isAlive()), { withinMs: 3 * TTL_MS, everyMs: 50 });
      const beat = await fetch(`${two.url}/nodes/${cluster}/${id}`, { method: 'PUT' });
      expect(beat.status).to.equal(200);
      expect(await isAlive()).to.equal(true);
    });

    it('keeps a node alive whose heartbeats go to both managers in turn', async () => {
      const { id } = await json<{ id: number }>(register(one));
      const end = performance.now() + 2 * TTL_MS;
      const failures: string[] = [];
      let beat = 0;
      await eventually(
        async () => {
          const { url } = (beat += 1) % 2 === 0 ? two : one;
          const { status } = await fetch(`${url}/nodes/${cluster}/${id}`, { method: 'PUT' });
          const node = await json<NodeBody>(fetch(`${one.url}/nodes/${cluster}/${id}`));
          if (status !== 200 || !node.alive) failures.push(`beat ${beat}: ${status} ${node.alive}`);
          return performance.now() > end;
        },
        { withinMs: 4 * TTL_MS, everyMs: TTL_MS / 4 },
      );
      expect(failures).to.deep.equal([]);
    });

    it('takes names as curl sends them: raw escapes, slashes, dots', async () => {
      for (const [path, name] of [
        ['a%2Fb', 'a/b'],
        ['%25', '%'],
        ['%C3%BC%20x', 'ü x'],
        ['v1.2', 'v1.2'],
        ['...', '...'],
      ] as const) {
        const answer = await rawRequest(one, `POST /nodes/${path}`);
        expect(answer, path).to.match(/^HTTP\/1.1 201 /);
        const clusters = await json<ClusterBody[]>(fetch(`${one.url}/clusters`));
        expect(clusters.map((each) => each.name)).to.include(name);
      }
      for (const path of ['.', '..', '%2e%2E', '%FF', '%zz', '%00']) {
        expect(await rawRequest(one, `POST /nodes/${path}`), path).to.match(/^HTTP\/1.1 400 /);
      }
    });

    it('ends all waits and refuses new ones when it drains', async () => {
      const third = await startTestManager({ store: backend.open(), listen: true });
      const url = `${third.url}/clusters/${cluster}/versions/0?wait=10s`;
      const waiting = fetch(url);
      await eventually(() => third.services.views.waiting === 1);
      third.drain();
      expect((await waiting).status).to.equal(204);
      expect((await fetch(url)).status).to.equal(503);
      await third.close();
    });
  });
}

/** Sends a request line as it is, which fetch would normalise; resolves to the head of the answer. */
function rawRequest(manager: TestManager, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port, hostname } = new URL(manager.url);
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('connect', () => {
      socket.write(`${line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    });
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('end', () => {
      resolve(text);
    });
    socket.on('error', reject);
  });
}
