// Connections are kept, for a moment; a kept one that is closed costs reads nothing, and statements are never sent twice.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import type { HttpExchange } from '../../../../agent/influxd/http-exchange.js';
import { HttpConnections } from '../../../../agent/influxd/http-exchange.js';
import { eventually } from '../../../support/eventually.js';
import { temporaryDirectory } from '../../../support/temp-dir.js';

describe('exchanges with one HTTP server', () => {
  let server: Server;
  let sockets: Socket[];
  let handle: (request: IncomingMessage, response: ServerResponse) => void;
  let connections: HttpConnections;
  beforeEach(async () => {
    handle = (_request, response) => void response.end('answer');
    connections = new HttpConnections({ url: await listen(createServer(onRequest)) });
  });
  afterEach(() => {
    connections.close();
    close();
  });

  const onRequest: RequestListener = (request, response) => {
    handle(request, response);
  };

  async function listen(made: Server, scheme = 'http'): Promise<URL> {
    server = made;
    sockets = [];
    server.on('connection', (socket: Socket) => sockets.push(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new URL(`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  function close(): void {
    server.closeAllConnections();
    server.close();
  }

  function exchange(more: Partial<HttpExchange> = {}): HttpExchange {
    const { signal } = new AbortController();
    return { method: 'POST', path: '/', headers: {}, signal, isRepeatable: false, ...more };
  }

  /** Answers the first request of each connection, and closes it instead of answering the second. */
  function closesKeptOnes(): { readonly requests: number } {
    const seen = new Set<Socket>();
    const counted = { requests: 0 };
    handle = (request, response) => {
      counted.requests += 1;
      if (seen.has(request.socket)) request.socket.resetAndDestroy();
      else response.end('answer');
      seen.add(request.socket);
    };
    return counted;
  }

  it('keeps its connection, and lets it go when nothing follows', async () => {
    for (let i = 0; i < 3; i++) await connections.send(exchange({ body: 'x' }));
    expect(sockets).to.have.length(1);
    await eventually(() => expect(sockets[0]?.destroyed).to.equal(true));
  });

  it('uses a few connections for many requests', async () => {
    await Promise.all(Array.from({ length: 20 }, () => connections.send(exchange())));
    expect(sockets).to.have.length(4);
  });

  it('asks again, once, where a kept connection was closed', async () => {
    const counted = closesKeptOnes();
    await connections.send(exchange({ isRepeatable: true }));
    const answer = await connections.send(exchange({ isRepeatable: true }));
    expect(answer).to.include({ status: 200, text: 'answer' });
    expect(counted.requests).to.equal(3);
  });

  it('never sends twice what may change something', async () => {
    const counted = closesKeptOnes();
    await connections.send(exchange());
    expect(await failure(connections.send(exchange()))).to.have.property('code', 'ECONNRESET');
    expect(counted.requests).to.equal(2);
  });

  it('does not ask again on a new connection, nor after the first byte of an answer', async () => {
    let requests = 0;
    handle = (request, response) => {
      requests += 1;
      if (requests === 1) request.socket.resetAndDestroy();
      else if (requests === 2) response.end('answer');
      // Ended, not reset: a reset may overtake the first bytes, and then there was no answer yet.
      else response.write('ans', () => request.socket.end());
    };
    await failure(connections.send(exchange({ isRepeatable: true })));
    expect(requests).to.equal(1);
    await connections.send(exchange({ isRepeatable: true }));
    const broken = await failure(connections.send(exchange({ isRepeatable: true })));
    // Node 24 passes on what the socket said.
    expect(String(broken)).to.match(/the answer broke off|ECONNRESET/);
    expect(requests).to.equal(3);
  });

  it('reads no more than its limit', async () => {
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const strict = new HttpConnections({ url, maxBodyBytes: 6 });
    expect(await strict.send(exchange())).to.have.property('text', 'answer');
    handle = (_request, response) => void response.end('answers');
    expect(await failure(strict.send(exchange()))).to.have.property(
      'message',
      'an answer of more than 6 bytes',
    );
    strict.close();
  });

  it('ends what is under way and what waits when it is closed, and begins nothing more', async () => {
    let requests = 0;
    handle = () => (requests += 1);
    const failures = Array.from({ length: 6 }, () => failure(connections.send(exchange())));
    await eventually(() => expect(requests).to.equal(4));
    connections.close();
    for (const failure of failures) {
      expect(await failure).to.have.property('message', 'the connection was closed');
    }
    expect(await failure(connections.send(exchange()))).to.have.property(
      'message',
      'the connection was closed',
    );
    expect(requests).to.equal(4);
  });

  it('ends within the body at its signal', async () => {
    const stop = new AbortController();
    handle = (_request, response) => {
      response.write('begun', () => {
        stop.abort();
      });
    };
    await failure(connections.send(exchange({ signal: stop.signal })));
    await eventually(() => expect(sockets[0]?.destroyed).to.equal(true));
  });

  it('speaks https with servers whose authority it was given, and with no other', async function () {
    const directory = await temporaryDirectory('tls');
    const [keyFile, certFile] = ['key', 'cert'].map((name) => join(directory.path, name)) as [
      string,
      string,
    ];
    try {
      makeCertificate(keyFile, certFile);
    } catch {
      // No openssl here: nothing to make a certificate with.
      this.skip();
    }
    close();
    const [key, cert] = [readFileSync(keyFile), readFileSync(certFile, 'utf8')];
    const url = await listen(createTlsServer({ key, cert }, onRequest), 'https');
    const trusting = new HttpConnections({ url, ca: cert });
    expect(await trusting.send(exchange())).to.include({ status: 200, text: 'answer' });
    trusting.close();
    const strict = new HttpConnections({ url });
    expect(await failure(strict.send(exchange()))).to.have.property(
      'code',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
    );
    strict.close();
    await directory.remove();
  });
});

/** What `promise` rejects with, in Node's words as they are. */
function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('it was expected to reject'),
    (error: unknown) => error,
  );
}

function makeCertificate(keyFile: string, certFile: string): void {
  const args = [
    ...['req', '-x509', '-nodes', '-days', '2', '-subj', '/CN=test'],
    ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', keyFile, '-out', certFile],
  ];
  execFileSync('openssl', args, { stdio: 'ignore', timeout: 10_000 });
}
