// The limits of the API's server, each reached, and what strangers send in names and headers.
import { expect } from 'chai';
import { connect, type Socket } from 'node:net';
import { memoryLogger } from '../../../../../shared/log/logger.js';
import { eventually } from '../../../../support/eventually.js';
import {
  startTestManager,
  type TestManager,
  type TestManagerOptions,
} from '../../../../support/manager.js';
import { bearer, tokenFile } from '../../../../support/tokens.js';

describe('limits of the manager', () => {
  let manager: TestManager | undefined;
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await manager?.close();
  });

  async function start(options: TestManagerOptions): Promise<TestManager> {
    manager = await startTestManager({ listen: true, ...options });
    return manager;
  }

  /** A connection of our own, for what no HTTP client would send. */
  function open({ url }: TestManager) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    sockets.push(socket);
    let received = '';
    let isClosed = false;
    socket.on('data', (chunk) => (received += chunk.toString('latin1')));
    socket.on('close', () => (isClosed = true));
    // A connection that is cut is what these tests are about.
    socket.on('error', () => undefined);
    return {
      socket,
      received: () => received,
      closed: () => eventually(() => isClosed, { withinMs: 8_000 }),
    };
  }

  it('JSON larger than manager.max-json-size gets 413', async () => {
    const { url } = await start({ limits: { maxJsonBytes: 200 } });
    const post = (hostname: string) =>
      fetch(`${url}/nodes/c`, { method: 'POST', body: JSON.stringify({ hostname }) });
    expect((await post('x'.repeat(10))).status).to.equal(201);
    const answer = await post('x'.repeat(300));
    expect(answer.status).to.equal(413);
    expect(((await answer.json()) as { detail: string }).detail).to.include('200 bytes');
  });

  it('headers larger than manager.max-header-size get 431', async () => {
    const { url } = await start({ limits: { maxHeaderBytes: 8_192 } });
    const ask = (length: number) =>
      fetch(`${url}/healthz`, { headers: { 'x-some': 'x'.repeat(length) } });
    expect((await ask(5_000)).status).to.equal(200);
    expect((await ask(10_000)).status).to.equal(431);
  });

  it('more connections than manager.max-connections are closed, and those that are there go on', async () => {
    const running = await start({ limits: { maxConnections: 2 } });
    const [one, two] = [open(running), open(running)];
    await eventually(() => !one.socket.connecting && !two.socket.connecting);
    one.socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    await eventually(() => one.received().includes('200 OK'));
    await open(running).closed();
    one.socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    await eventually(() => one.received().split('200 OK').length === 3);
  });

  it('a client that sends its request too slowly is cut after manager.request-timeout', async () => {
    const running = await start({ limits: { requestTimeoutMs: 500 } });
    const head = open(running);
    head.socket.write('GET /healthz HTT');
    const body = open(running);
    body.socket.write(
      'PUT /clusters/c/versions/0 HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc',
    );
    await Promise.all([head.closed(), body.closed()]);
    expect(head.received()).to.include('408');
  });

  it('a reader that takes nothing of its answer is cut after manager.request-timeout', async () => {
    const running = await start({ limits: { requestTimeoutMs: 500 } });
    const slow = open(running);
    slow.socket.pause();
    // Far more than all the buffers between us take.
    slow.socket.write('GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(500));
    const count = () =>
      new Promise<number>((resolve) => {
        running.app.server.getConnections((_error, connections) => resolve(connections));
      });
    await eventually(async () => (await count()) === 1);
    await eventually(async () => (await count()) === 0, { withinMs: 8_000 });
  });

  it('a long poll is no slow reader', async () => {
    const { url } = await start({ limits: { requestTimeoutMs: 300 } });
    // On a connection that has answered before.
    expect(await (await fetch(`${url}/healthz`)).text()).to.include('ok');
    const answer = await fetch(`${url}/clusters/c/versions/0?wait=1200ms`);
    expect(answer.status).to.equal(204);
  });

  it('wrong tokens are limited per address, whatever X-Forwarded-For says, and are logged once without the token', async () => {
    const logger = memoryLogger();
    const { url } = await start({
      logger,
      tokens: tokenFile({ viewer: 'good', operator: 'never-used' }),
      limits: { maxAuthFailures: 3 },
    });
    const ask = (token: string, from: number) =>
      fetch(`${url}/clusters`, {
        headers: {
          ...bearer(token),
          'x-forwarded-for': `10.0.0.${from}`,
          forwarded: `for=10.0.0.${from}`,
        },
      });
    expect((await ask('good', 0)).status).to.equal(200);
    const statuses: number[] = [];
    for (let i = 0; i < 5; i++) statuses.push((await ask('guessed-token', i)).status);
    expect(statuses).to.deep.equal([401, 401, 401, 429, 429]);
    const limited = await ask('never-used', 9);
    expect(limited.status).to.equal(429);
    expect(Number(limited.headers.get('retry-after'))).to.be.within(1, 60);
    expect(await limited.json()).to.include({ code: 'rate-limited' });
    expect((await ask('good', 0)).status).to.equal(200);
    expect((await fetch(`${url}/clusters`)).status, 'no token is no guess').to.equal(401);
    const lines = logger.lines.filter(({ level }) => level === 'warn');
    expect(lines).to.have.length(1);
    expect(lines[0]?.fields).to.include({ target: '127.0.0.1' });
    expect(JSON.stringify(logger.lines)).to.not.include('guessed-token');
  });

  const HOSTILE = [
    '..',
    '.',
    '../../etc/passwd',
    '..%2f..%2fetc',
    'a\nb',
    'a\u0000b',
    'a\u001b[2Jb',
    'c/versions/0',
    '%',
    '%2f',
    'ü'.repeat(200),
    '__proto__',
    'constructor',
    '\u202Etxt',
    'c/../d',
  ];

  for (const name of HOSTILE) {
    it(`the name ${JSON.stringify(name.slice(0, 30))} stays a name: refused, or one cluster's of exactly that name`, async () => {
      const logger = memoryLogger();
      const running = await start({ logger, listen: false });
      const answer = await running.app.inject({
        method: 'POST',
        url: `/nodes/${encodeURIComponent(name)}`,
      });
      expect(answer.statusCode).to.be.oneOf([201, 400, 404]);
      const list = (await running.app.inject({ url: '/clusters' })).json<{ name: string }[]>();
      expect(list.map((cluster) => cluster.name)).to.deep.equal(
        answer.statusCode === 201 ? [name] : [],
      );
      const { entries } = await running.store.range('/', { signal: AbortSignal.timeout(5_000) });
      for (const { key } of entries) {
        expect(key).to.match(/^\/clusterflux\/[\x21-\x7e]*$/);
        // A slash in a name would make it part of another cluster's keys.
        if (key.startsWith('/clusterflux/clusters/')) expect(key).to.not.match(/\/\.{1,2}\//);
      }
    });
  }

  it('header values of strangers neither pass into answers nor into the log as they are', async () => {
    const logger = memoryLogger();
    const running = await start({ logger, listen: false });
    for (const headers of [
      { 'x-request-id': 'a b' },
      { 'x-request-id': 'x'.repeat(200) },
      { 'x-clusterflux-node': '1; drop' },
      { 'x-clusterflux-node': '../1' },
      { 'idempotency-key': '..' },
      { 'x-clusterflux-known': '"../..".1.x' },
    ]) {
      const answer = await running.app.inject({
        method: 'GET',
        url: '/clusters/c/versions/0?wait=0s',
        headers,
      });
      expect(answer.statusCode).to.be.oneOf([204, 400]);
      expect(answer.headers['x-request-id']).to.match(/^[0-9a-f-]{36}$/);
    }
    for (const [header, value] of [
      ['x-clusterflux-node', '../1'],
      ['idempotency-key', '..'],
    ] as const) {
      const answer = await running.app.inject({
        method: 'PUT',
        url: '/clusters/c/versions/0',
        headers: { [header]: value },
        payload: Buffer.from('x'),
      });
      expect(answer.statusCode, header).to.equal(400);
    }
    expect(logger.lines.filter(({ level }) => level === 'error')).to.deep.equal([]);
  });
});
