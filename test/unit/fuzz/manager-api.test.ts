// The HTTP API against generated bad requests, made from its own OpenAPI document: never a 500, always problem+json with a
// code, and what was refused changed nothing in the store.
import { expect } from 'chai';
import fc from 'fast-check';
import { connect } from 'node:net';
import type { Store } from '../../../manager/store/port.js';
import { snapshotWith } from '../../support/snapshots.js';
import { startTestManager, type TestManager } from '../../support/manager.js';

/** CLUSTERFLUX_TEST_RUNS is about files; a request costs about ten of them. */
const RUNS = Math.round(Number(process.env['CLUSTERFLUX_TEST_RUNS'] ?? 20_000) / 10);

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const;

interface Parameter {
  readonly name: string;
  readonly in: string;
}
type Operation = { readonly parameters?: readonly Parameter[] };
interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
}

interface BadRequest {
  readonly method: (typeof METHODS)[number];
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly payload: Buffer | undefined;
}

/** Percent-encoded, so that any byte can stand in a path. */
const encoded = (bytes: Uint8Array) =>
  [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');

const anyPathPart = fc.oneof(
  fc.constantFrom('plant', '1', '2', '0', 'a'),
  fc.constantFrom(
    '',
    '.',
    '..',
    '%',
    '%zz',
    '%00',
    '%2e%2e',
    '%2F',
    '-1',
    '1.5',
    '1e3',
    'NaN',
    '9'.repeat(15),
    '9'.repeat(40),
    '0x10',
    '__proto__',
    'constructor',
  ),
  fc.uint8Array({ maxLength: 20 }).map(encoded),
  fc.nat(400).map((length) => 'n'.repeat(length)),
);

/** What may stand in a header: printable ASCII. */
const anyValue = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '1',
    '-1',
    'true',
    'plant',
    '5s',
    '0s',
    '"a.1.b"',
    `"x.1.${'d'.repeat(64)}"`,
    '*',
    '9'.repeat(30),
  ),
  fc.string({ unit: 'grapheme-ascii', maxLength: 60 }),
);

const anyJson = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.record(
    {
      hostname: fc.oneof(fc.constant('h'), fc.jsonValue({ maxDepth: 1 })),
      ips: fc.oneof(fc.constant(['10.0.0.1']), fc.jsonValue({ maxDepth: 2 })),
      uid: fc.oneof(fc.constant('u'), fc.jsonValue({ maxDepth: 1 })),
      session: fc.oneof(fc.constant('s'), fc.jsonValue({ maxDepth: 1 })),
      'previous-session': fc.jsonValue({ maxDepth: 1 }),
      candidates: fc.jsonValue({ maxDepth: 2 }),
      labels: fc.jsonValue({ maxDepth: 2 }),
      influxd: fc.jsonValue({ maxDepth: 2 }),
      version: fc.jsonValue({ maxDepth: 1 }),
      state: fc.jsonValue({ maxDepth: 1 }),
      hints: fc.jsonValue({ maxDepth: 3 }),
      held: fc.jsonValue({ maxDepth: 3 }),
      to: fc.oneof(fc.integer(), fc.jsonValue({ maxDepth: 1 })),
      expect: fc.oneof(fc.integer(), fc.jsonValue({ maxDepth: 1 })),
      holder: fc.oneof(fc.constant('h'), fc.jsonValue({ maxDepth: 1 })),
      ttl: fc.oneof(fc.integer(), fc.jsonValue({ maxDepth: 1 })),
      kind: fc.oneof(fc.constant('join'), fc.jsonValue({ maxDepth: 1 })),
      text: fc.jsonValue({ maxDepth: 1 }),
      node: fc.oneof(fc.integer(), fc.jsonValue({ maxDepth: 1 })),
      digest: fc.jsonValue({ maxDepth: 1 }),
      decision: fc.oneof(fc.constant('drop'), fc.jsonValue({ maxDepth: 1 })),
    },
    { requiredKeys: [] },
  ),
);

const snapshot = snapshotWith('x');

const anyBody = fc.oneof(
  fc.constant(undefined),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  anyJson.map((value) => Buffer.from(JSON.stringify(value))),
  anyJson.map((value) => Buffer.from(JSON.stringify(value)).subarray(0, -1)),
  fc.constantFrom(
    Buffer.from('{"__proto__":{"hostname":"h"},"constructor":{"prototype":1}}'),
    Buffer.from('['.repeat(5_000)),
    Buffer.from(`{"hostname":${'['.repeat(3_000)}${']'.repeat(3_000)}}`),
    Buffer.alloc(70_000, 0x20),
    Buffer.from('\ufeff{}'),
  ),
  fc.nat(snapshot.length).map((length) => snapshot.subarray(0, length)),
  fc.nat(snapshot.length - 1).map((at) => {
    const bytes = Buffer.from(snapshot);
    bytes[at] = 255 - (bytes[at] ?? 0);
    return bytes;
  }),
);

const anyType = fc.constantFrom(
  undefined,
  'application/json',
  'application/json; charset=utf-16',
  'application/octet-stream',
  'application/x-protobuf',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/plain',
  'nonsense',
  ';;;',
);

function requestsOf(document: Document): fc.Arbitrary<BadRequest> {
  const routes = Object.entries(document.paths);
  const headers = namesIn(document, 'header');
  const queries = namesIn(document, 'query');
  return fc
    .record({
      route: fc.constantFrom(...routes),
      method: fc.constantFrom(...METHODS),
      own: fc.nat(),
      parts: fc.array(anyPathPart, { minLength: 6, maxLength: 6 }),
      query: fc.array(fc.tuple(fc.constantFrom(...queries, 'nobody'), anyValue), { maxLength: 4 }),
      headers: fc.array(fc.tuple(fc.constantFrom(...headers, 'x-nobody'), anyValue), {
        maxLength: 4,
      }),
      type: anyType,
      payload: anyBody,
    })
    .map(
      ({ route: [path, operations], method, own, parts, query, headers: given, type, payload }) => {
        const left = [...parts];
        const known = Object.keys(operations).map((each) =>
          each.toUpperCase(),
        ) as BadRequest['method'][];
        // Mostly a method that the route has: the others all end in one place.
        const chosen = own % 4 === 0 ? method : (known[own % known.length] ?? method);
        const search = query
          .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
          .join('&');
        const mayHaveBody = chosen !== 'GET' && chosen !== 'HEAD';
        return {
          method: chosen,
          url: `${path.replace(/\{[^}]+\}/g, () => left.pop() ?? '')}${search === '' ? '' : `?${search}`}`,
          headers: {
            ...Object.fromEntries(given.filter(([name]) => name !== 'content-length')),
            ...(type === undefined || !mayHaveBody ? {} : { 'content-type': type }),
          },
          payload: mayHaveBody ? payload : undefined,
        };
      },
    );
}

function namesIn(document: Document, place: string): string[] {
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  const parameters = operations.flatMap((operation) => operation.parameters ?? []);
  return [...new Set(parameters.filter((each) => each.in === place).map(({ name }) => name))];
}

/** Each key with its revision: changes with every change of the store, but for events: those of an accepted request are written after its answer. */
async function stateOf(store: Store): Promise<string[]> {
  const { entries } = await store.range('/', { keysOnly: true });
  const lasting = entries.filter(({ key }) => !/\/event(s|-keys|-head)(\/|$)/.test(key));
  return lasting.map(({ key, modRevision }) => `${key} of ${modRevision}`);
}

describe('the HTTP API against bad requests', function () {
  this.timeout(600_000);
  let manager: TestManager;
  before(async () => {
    // A wait of a millisecond is a wait; a stream is not asked for, because it does not end.
    // No lease ends meanwhile: what changes in the store is by a request.
    const ttlMs = 3_600_000;
    const maxSnapshotBytes = 64 * 1024;
    manager = await startTestManager({ longPollMs: 1, ttlMs, maxSnapshotBytes, listen: true });
    await put('/clusters/plant/versions/0', snapshotWith('a', 'b'));
    // The first look at a decoded version makes the secret behind the digests that stand for passwords.
    const headers = { accept: 'application/json' };
    await manager.app.inject({ url: '/clusters/plant/history/1', headers });
    for (const uid of ['u1', 'u2']) {
      const payload = { hostname: 'h', ips: [], uid, session: 's' };
      const { statusCode } = await manager.app.inject({
        method: 'POST',
        url: '/nodes/plant',
        payload,
      });
      expect(statusCode).to.equal(201);
    }
  });
  after(() => manager.close());

  async function put(url: string, payload: Buffer): Promise<void> {
    const { statusCode } = await manager.app.inject({ method: 'PUT', url, payload });
    expect(statusCode).to.equal(200);
  }

  it(`answers each with a code, and changes nothing where it refuses (${RUNS} requests)`, async () => {
    const document = (await manager.app.inject('/openapi.json')).json<Document>();
    const seen = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(requestsOf(document), async ({ method, url, headers, payload }) => {
        const before = await stateOf(manager.store);
        const answer = await manager.app.inject({
          method,
          url,
          headers,
          ...(payload === undefined ? {} : { payload }),
        });
        const status = answer.statusCode;
        seen.set(status, (seen.get(status) ?? 0) + 1);
        expect(status, answer.body).to.be.lessThan(500);
        if (status < 400) return;
        expect(await stateOf(manager.store), 'a refused request changed the store').to.deep.equal(
          before,
        );
        const isLostSwap = status === 409 && answer.headers['x-clusterflux-version'] !== undefined;
        if (method === 'HEAD' || isLostSwap) return;
        expect(answer.headers['content-type']).to.match(/^application\/problem\+json/);
        const problem = answer.json<Record<string, unknown>>();
        expect(problem).to.include({ status });
        expect(problem['code'])
          .to.be.a('string')
          .and.match(/^[a-z-]+$/)
          .and.not.equal('internal');
        expect(problem['detail'])
          .to.be.a('string')
          .and.not.match(/\n|node_modules| at .*:\d+:\d+/);
      }),
      { numRuns: RUNS },
    );
    console.log(
      `    ${[...seen]
        .sort()
        .map(([status, count]) => `${status}: ${count}`)
        .join(', ')}`,
    );
    expect(seen.get(400)).to.be.greaterThan(RUNS / 100);
    expect(seen.get(404)).to.be.greaterThan(RUNS / 100);
    const alive = await manager.app.inject('/healthz');
    expect(alive.statusCode).to.equal(200);
    const { databases } = (
      await manager.app.inject({
        url: '/clusters/plant/history/1',
        headers: { accept: 'application/json' },
      })
    ).json<{ databases: { name: string }[] }>();
    expect(databases.map(({ name }) => name)).to.deep.equal(['a', 'b']);
  });

  it('lives through what is no HTTP at all, and through heads that never end', async () => {
    const lines = [
      '\r\n\r\n\r\n',
      'GET\r\n\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      'GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: x\r\nX: \u0001\u0002\r\n\r\n',
      `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET / HTTP/1.1\r\n${'X: y\r\n'.repeat(20_000)}\r\n`,
      'POST /nodes/plant HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
      'POST /nodes/plant HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      'POST /nodes/plant HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n',
      '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc',
    ];
    const before = await stateOf(manager.store);
    for (const line of lines) {
      const answer = await raw(Number(new URL(manager.url).port), Buffer.from(line, 'latin1'));
      expect(answer, JSON.stringify(line.slice(0, 40))).to.match(/^(HTTP\/1\.1 4\d\d |$)/);
    }
    expect(await stateOf(manager.store)).to.deep.equal(before);
    expect((await fetch(`${manager.url}/healthz`)).status).to.equal(200);
  });
});

/** Sends bytes, and what comes until the other side closes; empty where it says nothing within a moment. */
function raw(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
    socket.setTimeout(300, () => socket.destroy());
    socket.on('data', (piece: Buffer) => (answer += piece.toString('latin1')));
    // A connection that was reset is an answer too.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      resolve(answer);
    });
  });
}
