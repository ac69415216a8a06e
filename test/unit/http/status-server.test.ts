// The status port, over real sockets.
import { expect } from 'chai';
import { connect } from 'node:net';
import { addressUrl, type Address } from '../../../shared/config/address.js';
import { isAppError } from '../../../shared/errors/app-error.js';
import {
  createStatusServer,
  type Readiness,
  type StatusServer,
} from '../../../shared/http/status-server.js';
import { memoryLogger } from '../../../shared/log/logger.js';
import { createRegistry } from '../../../shared/metrics/registry.js';

describe('the status server', () => {
  let readiness: Readiness;
  let logger: ReturnType<typeof memoryLogger>;
  let server: StatusServer;
  let address: Address;
  const make = (port: number) =>
    createStatusServer({
      address: { host: '127.0.0.1', port },
      key: 'agent.bind-address',
      registry: createRegistry({ version: '1', commit: 'c', service: 'agent' }),
      logger,
      readiness: () => readiness,
      status: () => ({ node: 7 }),
    });
  beforeEach(async () => {
    readiness = { ready: false, detail: 'not registered yet' };
    logger = memoryLogger();
    server = make(0);
    address = await server.listen();
  });
  afterEach(() => server.close());
  const get = (path: string, init?: RequestInit) => fetch(addressUrl(address) + path, init);

  it('answers that it lives on both names, with and without a query', async () => {
    for (const path of ['/livez', '/healthz', '/livez?verbose'])
      expect((await get(path)).status).to.equal(200);
  });

  it('is ready only when it says so, with the reason', async () => {
    const before = await get('/readyz');
    expect([before.status, await before.json()]).to.deep.equal([
      503,
      { ready: false, detail: 'not registered yet' },
    ]);
    readiness = { ready: true, detail: 'in step' };
    expect((await get('/readyz')).status).to.equal(200);
  });

  it('gives the status as JSON and the metrics as Prometheus text', async () => {
    expect(await (await get('/status')).json()).to.deep.equal({ node: 7 });
    const metrics = await get('/metrics');
    expect(metrics.headers.get('content-type')).to.match(/^text\/plain/);
    expect(await metrics.text()).to.match(
      /clusterflux_build_info\{version="1",commit="c",service="agent"\} 1/,
    );
  });

  it('answers 404 as problem+json for what it does not serve, other methods too', async () => {
    for (const [path, method] of [
      ['/nope', 'GET'],
      ['/status', 'POST'],
      ['/', 'GET'],
    ] as const) {
      const answer = await get(path, { method });
      expect(answer.status).to.equal(404);
      expect(answer.headers.get('content-type')).to.equal('application/problem+json');
      expect(await answer.json()).to.deep.include({ status: 404, code: 'route-not-found' });
    }
  });

  it('answers HEAD without a body', async () => {
    const answer = await get('/status', { method: 'HEAD' });
    expect([answer.status, await answer.text()]).to.deep.equal([200, '']);
  });

  it('serves routes that were added, and a bland 500 with a log line where one fails', async () => {
    server.route('POST', '/sync', (_request, response) => {
      response.end('done');
    });
    server.route('GET', '/broken', () => Promise.reject(new Error('secret detail')));
    expect(await (await get('/sync', { method: 'POST' })).text()).to.equal('done');
    const broken = await get('/broken');
    expect(broken.status).to.equal(500);
    expect(await broken.text()).not.to.include('secret detail');
    expect(logger.lines[0]?.fields['op']).to.equal('GET /broken');
  });

  it('says in one sentence that the port is taken, and which key to change', async () => {
    const error = await make(address.port)
      .listen()
      .catch((reason: unknown) => reason);
    expect(isAppError(error, 'address-in-use')).to.equal(true);
    expect((error as Error).message)
      .to.include(`127.0.0.1:${address.port}`)
      .and.include('agent.bind-address');
  });

  it('says that the machine does not have an address', async () => {
    const elsewhere = createStatusServer({
      address: { host: '192.0.2.1', port: 0 },
      key: 'agent.bind-address',
      registry: createRegistry({ version: '1', commit: 'c', service: 'agent' }),
      logger,
      readiness: () => readiness,
      status: () => ({}),
    });
    const error = await elsewhere.listen().catch((reason: unknown) => reason);
    expect(isAppError(error, 'config-invalid')).to.equal(true);
    expect((error as Error).message).to.include('does not have that address');
  });

  it('cuts who is slow with the head of a request, or sends too long a one', async () => {
    await server.close();
    server = createStatusServer({
      address: { host: '127.0.0.1', port: 0 },
      key: 'agent.bind-address',
      registry: createRegistry({ version: '1', commit: 'c', service: 'agent' }),
      logger,
      readiness: () => readiness,
      status: () => ({}),
      headWithinMs: 50,
    });
    address = await server.listen();
    const said = (text: string) =>
      new Promise<string>((resolve) => {
        let answer = '';
        const socket = connect(address.port, '127.0.0.1', () => socket.write(text));
        socket.on('data', (chunk) => (answer += chunk.toString()));
        socket.on('error', () => undefined);
        socket.on('close', () => {
          resolve(answer);
        });
      });
    const head = 'GET /livez HTTP/1.1\r\nhost: a\r\n';
    const [slow, long] = await Promise.all([
      said(head),
      said(`${head}x: ${'y'.repeat(20_000)}\r\n`),
    ]);
    expect(slow).to.match(/^HTTP\/1\.1 408/);
    expect(long).to.match(/^HTTP\/1\.1 431/);
    expect((await get('/livez')).status).to.equal(200);
  });

  it('gives the status, and the reason of readiness, to whom it trusts alone', async () => {
    await server.close();
    server = createStatusServer({
      address: { host: '127.0.0.1', port: 0 },
      key: 'agent.bind-address',
      registry: createRegistry({ version: '1', commit: 'c', service: 'agent' }),
      logger,
      readiness: () => readiness,
      status: () => ({ node: 7 }),
      isTrusted: ({ headers }) => headers['x-friend'] === 'yes',
    });
    address = await server.listen();
    expect((await get('/status')).status).to.equal(403);
    expect(await (await get('/readyz')).json()).to.deep.equal({ ready: false });
    const friend = { headers: { 'x-friend': 'yes' } };
    expect(await (await get('/status', friend)).json()).to.deep.equal({ node: 7 });
    expect(await (await get('/readyz', friend)).json()).to.have.keys('ready', 'detail');
  });

  it('closes at once, whatever connections are open', async () => {
    const socket = connect(address.port, '127.0.0.1');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.on('error', () => undefined); // a reset is one of the ways to be closed
    const started = performance.now();
    await server.close();
    await closed;
    expect(performance.now() - started).to.be.below(500);
  });
});
