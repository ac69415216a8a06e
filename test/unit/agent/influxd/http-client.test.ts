import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { InfluxHttpClient } from '../../../../agent/influxd/http-client.js';
import { createHttpClient } from '../../../../agent/influxd/http-client.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

describe('the client for influxd over HTTP', () => {
  let server: Server;
  let url: string;
  let handle: Handler;
  let client: InfluxHttpClient;
  beforeEach(async () => {
    server = createServer((request, response) => void handle(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    // A deadline beyond the test's own: whoever waits for it fails.
    client = createHttpClient({
      url,
      username: 'admin',
      password: () => 's3cret',
      deadlineMs: 60_000,
    });
  });
  afterEach(async () => {
    await client.close();
    server.closeAllConnections();
    server.close();
  });

  function answers(status: number, body: string, headers: Record<string, string> = {}): void {
    handle = (_request, response) => {
      response.writeHead(status, headers).end(body);
    };
  }

  const basic = (account: string) => `Basic ${Buffer.from(account).toString('base64')}`;

  async function failure(promise: Promise<unknown>): Promise<Error> {
    return promise.then(
      () => expect.fail('it was expected to reject'),
      (error: unknown) => error as Error,
    );
  }

  it('posts the statement in the body, with credentials, below the path of its URL', async () => {
    const seen: unknown[] = [];
    handle = async (request, response) => {
      const body = new URLSearchParams(await text(request));
      seen.push([request.method, request.url, request.headers.authorization, body.get('q')]);
      response.end('{"results":[{"statement_id":0}]}');
    };
    const below = createHttpClient({ url: `${url}/influx/`, username: 'ü', password: () => 'a:b' });
    expect(await below.query('DROP USER "ü+&"')).to.deep.equal({ kind: 'done', series: [] });
    await below.close();
    const token = Buffer.from('ü:a:b').toString('base64');
    expect(seen).to.deep.equal([['POST', '/influx/query', `Basic ${token}`, 'DROP USER "ü+&"']]);
  });

  it('reads errors at the top, and of the statement, as refusals', async () => {
    answers(400, '{"error":"error parsing query: found X"}');
    expect(await client.query('X')).to.deep.equal({
      kind: 'refused',
      text: 'error parsing query: found X',
    });
    answers(200, '{"results":[{"statement_id":0,"error":"database not found: d"}]}');
    expect(await client.query('X')).to.deep.equal({
      kind: 'refused',
      text: 'database not found: d',
    });
  });

  for (const [what, status, body] of [
    ['a proxy', 502, '<html>bad gateway</html>'],
    ['a throttling influxd', 503, 'request throttled, queue full\n'],
    ['a web server', 404, '404 page not found'],
    ['a body that is cut', 200, '{"results":[{"statement_id"'],
    ['an answer without a result', 200, '{}'],
    ['an error of the server', 500, '{"error":"timeout"}'],
  ] as const) {
    it(`takes ${what} for no word on the statement`, async () => {
      answers(status, body);
      const error = await failure(client.query('DROP DATABASE "d"'));
      expect(error).to.include({ code: 'influxd-unreachable', retryable: true });
      expect(error.message).to.contain(`status ${status}`);
    });
  }

  it('says what to set where its account is refused', async () => {
    for (const [account, status, words] of [
      [{}, 401, /no account is configured; set influxdb\.username/],
      [{ username: 'a', password: () => 'p' }, 401, /refuses .* "a"; set .*password-file/],
      [{ username: 'a', password: () => 'p' }, 403, /GRANT ALL PRIVILEGES/],
      [{ username: 'a', jwtSecret: () => 'p' }, 401, /influxdb\.jwt-secret-file .*shared-secret/],
    ] as const) {
      answers(status, '{"error":"authorization failed"}');
      const asker = createHttpClient({ url, ...account });
      const error = await failure(asker.query('SHOW DATABASES'));
      await asker.close();
      expect(error).to.have.property('code', 'unauthorized');
      expect(error.message).to.match(words).and.contain('(authorization failed)');
    }
  });

  it('does not try a refused account again at once, but with another password, and says the same', async () => {
    let password = 'wrong';
    let asked = 0;
    handle = (request, response) => {
      asked += 1;
      const isRight = request.headers.authorization === basic('admin:right');
      response.writeHead(isRight ? 200 : 401).end('{"results":[{"statement_id":0}]}');
    };
    const asker = createHttpClient({ url, username: 'admin', password: () => password });
    const first = await failure(asker.query('SHOW DATABASES'));
    const second = await failure(asker.query('SHOW USERS'));
    expect([asked, second.message]).to.deep.equal([1, first.message]);
    password = 'right';
    expect(await asker.query('SHOW USERS')).to.deep.equal({ kind: 'done', series: [] });
    await asker.close();
  });

  it('lets the first admin be made where influxd refuses everything else until then', async () => {
    handle = (request, response) => {
      let body = '';
      request.on('data', (piece: Buffer) => (body += piece.toString()));
      request.on('end', () => {
        const isFirst = body.includes('CREATE+USER');
        response.writeHead(isFirst ? 200 : 403);
        response.end(
          isFirst ? '{"results":[{"statement_id":0}]}' : '{"error":"create admin user"}',
        );
      });
    };
    const asker = createHttpClient({ url, username: 'a', password: () => 'p' });
    await failure(asker.query('SHOW DATABASES'));
    const created = await asker.query(`CREATE USER "a" WITH PASSWORD 'p' WITH ALL PRIVILEGES`);
    expect(created.kind).to.equal('done');
    await asker.close();
  });

  it("makes tokens that end a minute from now by influxd's clock, whatever ours says", async () => {
    const day = 86_400_000;
    const ends: number[] = [];
    handle = (request, response) => {
      const [head, claims, code] = (request.headers.authorization ?? '').slice(7).split('.');
      const hmac = createHmac('sha256', 'shared').update(`${head}.${claims}`).digest('base64url');
      const { username, exp } = JSON.parse(Buffer.from(claims!, 'base64url').toString()) as {
        username: string;
        exp: number;
      };
      expect([username, code]).to.deep.equal(['a:b', hmac]);
      ends.push(exp * 1_000);
      const isGood = exp * 1_000 > Date.now() + day;
      response.writeHead(isGood ? 200 : 401, { date: new Date(Date.now() + day).toUTCString() });
      response.end('{"results":[{"statement_id":0}]}');
    };
    const asker = createHttpClient({ url, username: 'a:b', jwtSecret: () => 'shared' });
    expect(await asker.query('SHOW USERS')).to.deep.equal({ kind: 'done', series: [] });
    await asker.close();
    expect(ends).to.have.length(2);
    expect(ends[0]).to.be.within(Date.now() + 50_000, Date.now() + 61_000);
    expect(ends[1]).to.be.within(Date.now() + day + 50_000, Date.now() + day + 62_000);
  });

  it('never shows a password', async () => {
    answers(500, '');
    const error = await failure(client.query(`CREATE USER "u" WITH PASSWORD 'pa55'`));
    expect(error.message)
      .to.contain('[REDACTED]')
      .and.not.match(/pa55|s3cret/);
    expect(() => createHttpClient({ url: 'nonsense://u:pa55@h' }))
      .to.throw()
      .with.property('message')
      .not.match(/pa55/);
  });

  it('says that the outcome is unknown when the connection breaks', async () => {
    handle = (request) => {
      request.socket.destroy();
    };
    const error = await failure(client.query('DROP DATABASE "d"'));
    expect(error).to.include({ code: 'influxd-unreachable', retryable: true });
    expect(error.message).to.contain('whether it was run is unknown');
  });

  it('waits for the whole body, and not beyond its deadline', async () => {
    handle = (_request, response) => {
      response.write('{"results":');
    };
    const hasty = createHttpClient({ url, deadlineMs: 50 });
    const error = await failure(hasty.query('SHOW DATABASES'));
    expect(error).to.have.property('code', 'influxd-unreachable');
    expect(error.message).to.contain('within 50 ms');
    await hasty.close();
  });

  it('ends at once when the caller aborts', async () => {
    const controller = new AbortController();
    handle = () => {
      controller.abort();
    };
    expect(await failure(client.query('SHOW DATABASES', controller.signal))).to.have.property(
      'code',
      'aborted',
    );
    expect(await failure(client.ping(AbortSignal.abort()))).to.have.property('code', 'aborted');
  });

  it('tells an influxd from nothing and from other servers', async () => {
    answers(204, '', { 'X-Influxdb-Version': '1.8.10' });
    expect(await client.ping()).to.deep.equal({ version: '1.8.10' });
    answers(401, '', { 'X-Influxdb-Version': '1.8.10' });
    expect(await client.ping()).to.deep.equal({ version: '1.8.10' });
    answers(204, '');
    expect(await client.ping()).to.deep.equal({ version: 'unknown' });
    answers(200, 'hello');
    expect(await client.ping()).to.equal(undefined);
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    expect(await client.ping()).to.equal(undefined);
  });

  it('asks again where a kept connection was closed, but sends no other statement twice', async () => {
    const seen = new Set<unknown>();
    let requests = 0;
    handle = (request, response) => {
      requests += 1;
      if (seen.has(request.socket)) request.socket.resetAndDestroy();
      else response.end('{"results":[{}]}');
      seen.add(request.socket);
    };
    for (let i = 1; i <= 3; i++)
      expect(await client.query('show databases')).to.include({ kind: 'done' });
    expect(requests).to.equal(5);
    for (const statement of ['DROP DATABASE "d"', 'SHOW DATABASES; DROP DATABASE "d"']) {
      expect(await failure(client.query(statement))).to.have.property(
        'code',
        'influxd-unreachable',
      );
      await client.query(statement);
    }
    expect(requests).to.equal(9);
  });

  it('names every address of a name at which nothing answers', async () => {
    const nowhere = createHttpClient({ url: 'http://localhost:1' });
    expect((await failure(nowhere.query('SHOW DATABASES'))).message).to.match(/ECONNREFUSED.*:1/);
    await nowhere.close();
  });

  it("refuses a URL that is none, and a name that HTTP can't carry", () => {
    for (const options of [
      { url: '127.0.0.1:8086' },
      { url: 'ftp://h' },
      { url, username: 'a:b' },
    ]) {
      expect(() => createHttpClient(options))
        .to.throw()
        .with.property('code', 'config-invalid');
    }
  });
});
