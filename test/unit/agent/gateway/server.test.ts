import { expect } from 'chai';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { GatewayHandler } from '../../../../agent/gateway/port.js';
import type { Gateway, GatewayDeps } from '../../../../agent/gateway/server.js';
import { createGateway } from '../../../../agent/gateway/server.js';
import type { Address } from '../../../../shared/config/address.js';
import { AppError } from '../../../../shared/errors/app-error.js';
import { memoryLogger } from '../../../../shared/log/logger.js';
import type { Certificates } from '../../../../shared/security/certificates.js';
import { makeAuthority } from '../../../support/certificates.js';
import { temporaryDirectory } from '../../../support/temp-dir.js';
import { eventually } from '../../../support/eventually.js';

const ANSWERS: GatewayHandler = {
  handle: async (_request, response) => void response.end('done'),
};

describe('the server of the gateway', () => {
  let gateway: Gateway | undefined;
  let address: Address;

  afterEach(async () => {
    await gateway?.close();
    gateway = undefined;
  });

  async function start(more: Partial<GatewayDeps> = {}): Promise<string> {
    gateway = createGateway({
      config: { bindAddress: { host: '127.0.0.1', port: 0 }, insecure: false, maxConnections: 10 },
      isAuthOn: () => false,
      influxd: () => ({ version: '1.6.7~rc0', answers: true }),
      write: ANSWERS,
      query: ANSWERS,
      logger: memoryLogger(),
      ...more,
    });
    address = await gateway.listen();
    return `http://127.0.0.1:${String(address.port)}`;
  }

  /** Sends raw bytes, and gathers what comes back. */
  async function raw(bytes: string): Promise<{ socket: Socket; text: () => string }> {
    const socket = connect(address.port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.write(bytes);
    return { socket, text: () => text };
  }

  it('says which influxd it stands before, and keeps the id that the client gave', async () => {
    const url = await start();
    const { headers } = await fetch(`${url}/ping`, { headers: { 'X-Request-Id': 'mine' } });
    expect(headers.get('x-influxdb-version')).to.equal('1.6.7~rc0');
    expect(headers.get('x-influxdb-build')).to.equal('OSS');
    expect(headers.get('request-id')).to.equal('mine');
    expect(headers.get('x-request-id')).to.equal('mine');
  });

  it('gives every other request an id of its own', async () => {
    const url = await start();
    const ids = [await fetch(`${url}/ping`), await fetch(`${url}/nope`)].map(({ headers }) =>
      headers.get('x-request-id'),
    );
    expect(new Set(ids).size).to.equal(2);
    expect(ids).to.not.include(null);
  });

  it('tells the version where ping asks for it', async () => {
    const answer = await fetch(`${await start()}/ping?verbose=true`);
    expect([answer.status, await answer.json()]).to.deep.equal([200, { version: '1.6.7~rc0' }]);
  });

  it('is healthy as long as the local influxd answers', async () => {
    let answers = true;
    const url = await start({ influxd: () => ({ version: '1.6.7', answers }) });
    const look = async () => {
      const answer = await fetch(`${url}/health`);
      return [answer.status, ((await answer.json()) as { status: string }).status];
    };
    expect(await look()).to.deep.equal([200, 'pass']);
    answers = false;
    expect(await look()).to.deep.equal([503, 'fail']);
  });

  it('speaks TLS where it has a certificate, and takes a new one while it runs', async () => {
    const directory = await temporaryDirectory('gateway-tls');
    const authority = await makeAuthority(directory.path, 'authority');
    const issue = async (name: string): Promise<Certificates> => {
      const { certFile, keyFile } = await authority.issue(name);
      const [cert, key] = await Promise.all([
        readFile(certFile, 'utf8'),
        readFile(keyFile, 'utf8'),
      ]);
      return { cert, key, ca: undefined };
    };
    try {
      await start({ tls: await issue('first') });
      const { ca } = authority;
      expect(await nameOf(address.port, ca)).to.equal('first');
      gateway?.setCertificates(await issue('second'));
      expect(await nameOf(address.port, ca)).to.equal('second');
    } finally {
      await directory.remove();
    }
  });

  it('serves nothing of /debug', async () => {
    const url = await start();
    for (const path of ['/debug/pprof/', '/debug/vars', '/debug/requests', '/metrics']) {
      expect((await fetch(`${url}${path}`)).status).to.equal(404);
    }
  });

  it('knows no page by the names of what every object has', async () => {
    const url = await start();
    expect((await fetch(`${url}/constructor`)).status).to.equal(404);
    expect((await fetch(`${url}/__proto__`)).status).to.equal(404);
  });

  it('renders what a handler throws, with its code and whether to try again', async () => {
    const error = new AppError('no-group', 'no manager answered', { status: 503, retryable: true });
    const url = await start({ query: { handle: () => Promise.reject(error) } });
    const answer = await fetch(`${url}/query?q=x`);
    expect(answer.status).to.equal(503);
    expect(answer.headers.get('x-clusterflux-code')).to.equal('no-group');
    expect(answer.headers.get('x-clusterflux-retry')).to.equal('safe');
    expect(await answer.text()).to.equal('{"error":"no manager answered"}\n');
  });

  it('keeps to itself why something broke that it did not foresee', async () => {
    const logger = memoryLogger();
    const query = { handle: () => Promise.reject(new Error('the secret is 1234')) };
    const url = await start({ query, logger });
    const answer = await fetch(`${url}/query?q=x`);
    expect(answer.status).to.equal(500);
    expect(await answer.text()).to.not.include('1234');
    expect(logger.lines).to.have.length(1);
  });

  it('breaks an answer off that was begun when its handler fails', async () => {
    const url = await start({
      query: {
        handle: (_request, response) => {
          response.write('half');
          return Promise.reject(new Error('no more'));
        },
      },
    });
    let failure: unknown;
    await fetch(`${url}/query`)
      .then((answer) => answer.text())
      .catch((error: unknown) => (failure = error));
    expect(failure).to.be.instanceOf(Error);
  });

  it('works on the requests of one connection one after the other', async () => {
    const order: string[] = [];
    const releases: (() => void)[] = [];
    await start({
      query: {
        handle: async (request, response) => {
          order.push(`begin ${request.url ?? ''}`);
          await new Promise<void>((resolve) => releases.push(resolve));
          order.push(`end ${request.url ?? ''}`);
          response.end();
        },
      },
    });
    const head = (n: number) => `GET /query?${String(n)} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const { socket } = await raw(head(1) + head(2));
    await eventually(() => releases.length === 1);
    releases[0]?.();
    await eventually(() => releases.length === 2);
    releases[1]?.();
    await eventually(() => order.length === 4);
    expect(order).to.deep.equal([
      'begin /query?1',
      'end /query?1',
      'begin /query?2',
      'end /query?2',
    ]);
    socket.destroy();
  });

  it('tells a handler that its client is gone', async () => {
    let isAborted = false;
    let isBegun = false;
    await start({
      query: {
        handle: (_request, _response, { signal }) =>
          new Promise((resolve) => {
            isBegun = true;
            signal.addEventListener('abort', () => {
              isAborted = true;
              resolve();
            });
          }),
      },
    });
    const { socket } = await raw('GET /query HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => isBegun);
    socket.destroy();
    await eventually(() => isAborted);
  });

  describe('when it stops', () => {
    it('lets what is under way end', async () => {
      let release: () => void = () => undefined;
      const url = await start({
        query: {
          handle: (_request, response) =>
            new Promise((resolve) => {
              release = () => {
                response.end('whole');
                resolve();
              };
            }),
        },
      });
      const begun = release;
      const answer = fetch(`${url}/query`).then((each) => each.text());
      await eventually(() => release !== begun);
      const closed = gateway?.close();
      release();
      expect(await answer).to.equal('whole');
      await closed;
    });

    it('ends what does not end by itself within little more than a second', async () => {
      await start({
        query: {
          handle: (_request, _response, { stopped }) =>
            new Promise((resolve) => {
              stopped.addEventListener('abort', () => {
                resolve();
              });
            }),
        },
      });
      const { socket } = await raw('GET /query HTTP/1.1\r\nHost: x\r\n\r\n');
      await eventually(() => socket.bytesWritten > 0);
      const since = performance.now();
      await gateway?.close();
      expect(performance.now() - since).to.be.lessThan(1_900);
    });

    it('ends connections that wait for their next request at once', async () => {
      await start();
      const { text } = await raw('GET /ping HTTP/1.1\r\nHost: x\r\n\r\n');
      await eventually(() => text().includes('204'));
      const since = performance.now();
      await gateway?.close();
      expect(performance.now() - since).to.be.lessThan(500);
    });
  });

  describe('on an address that others can reach', () => {
    const wide = { bindAddress: { host: '0.0.0.0', port: 0 }, insecure: false, maxConnections: 10 };

    it('does not listen where nobody has to log in', async () => {
      const refused = createGateway({
        config: wide,
        isAuthOn: () => false,
        influxd: () => ({ version: undefined, answers: false }),
        write: ANSWERS,
        query: ANSWERS,
        logger: memoryLogger(),
      });
      const failure: unknown = await refused.listen().catch((error: unknown) => error);
      expect(failure).to.be.instanceOf(AppError);
      expect((failure as AppError).message).to.include('gateway.insecure');
    });

    it('listens where a person said that it may', async () => {
      const url = await start({ config: { ...wide, insecure: true } });
      expect((await fetch(`${url}/query`)).status).to.equal(200);
    });

    it('answers no more once influxd asks nobody to log in', async () => {
      let isOn = true;
      const url = await start({ config: wide, isAuthOn: () => isOn });
      expect((await fetch(`${url}/query`)).status).to.equal(200);
      isOn = false;
      expect((await fetch(`${url}/query`)).status).to.equal(403);
      expect((await fetch(`${url}/ping`)).status).to.equal(204);
    });
  });
});

/** Of the certificate that the server shows. */
async function nameOf(port: number, ca: string): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', ca });
  await once(socket, 'secureConnect');
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}
