// Each row of what InfluxDB's /write answers, asked of an influxd and of a gateway over another one: the same status and body.
import { expect } from 'chai';
import { gzipSync } from 'node:zlib';
import { influxdSender } from '../support/gateway/influxd-sender.js';
import type { WriteGateway } from '../support/gateway/write-gateway.js';
import { startWriteGateway } from '../support/gateway/write-gateway.js';
import type { TestInfluxd } from '../support/influxd.js';
import { startInfluxd } from '../support/influxd.js';

interface Asked {
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
}

const HOUR_NS = 3_600_000_000_000n;
const MAX_BODY_BYTES = 100_000;
/** influxd's and the gateway's own headers of one request; not part of what is compared. */
const COMPARED = ['allow', 'content-type', 'x-content-type-options', 'x-influxdb-build'];

describe('/write of the gateway and of influxd', () => {
  let direct: TestInfluxd;
  let behind: TestInfluxd;
  let gateway: WriteGateway;
  const old = (BigInt(Date.now()) * 1_000_000n - 3n * HOUR_NS).toString();

  before(async () => {
    const options = {
      config: {
        http: { 'max-body-size': MAX_BODY_BYTES },
        data: { 'max-series-per-database': 40 },
      },
    };
    [direct, behind] = await Promise.all([startInfluxd(options), startInfluxd(options)]);
    for (const server of [direct, behind]) {
      await server.query('CREATE DATABASE d');
      await server.query('CREATE RETENTION POLICY short ON d DURATION 1h REPLICATION 1');
      await server.write('d', 'taken f=1 1');
    }
    gateway = await startWriteGateway({
      sender: influxdSender(new Map([[1, behind.url]])),
      maxBodyBytes: MAX_BODY_BYTES,
    });
    gateway.metadata.add('d', [
      { name: 'autogen' },
      { name: 'short', durationNs: HOUR_NS, shardDurationNs: HOUR_NS },
    ]);
  });

  after(async () => {
    await gateway.close();
    await Promise.all([direct.remove(), behind.remove()]);
  });

  async function ask(url: string, path: string, asked: Asked) {
    const signal = AbortSignal.timeout(10_000);
    const answer = await fetch(`${url}${path}`, { method: 'POST', ...asked, signal });
    const text = await answer.text();
    // influxd names the methods in an order that changes from request to request.
    const words = (name: string) => answer.headers.get(name)?.split(', ').sort();
    const compared = COMPARED.map((name) => [name, words(name)]);
    const error = answer.headers.get('x-influxdb-error');
    return { status: answer.status, text, error, headers: Object.fromEntries(compared) as object };
  }

  const rows: readonly [string, string, Asked][] = [
    ['a point', '/write?db=d', { body: 'm f=1 1000' }],
    ['no time', '/write?db=d', { body: 'm,t=now f=1' }],
    ['every kind of value', '/write?db=d', { body: 'kinds a=1,b=2i,c=t,d="x",e=-.5 1' }],
    ['an empty body', '/write?db=d', { body: '' }],
    ['only comments', '/write?db=d', { body: '# nothing\n\n' }],
    ['no database', '/write', { body: 'm f=1' }],
    ['an empty database', '/write?db=', { body: 'm f=1' }],
    ['an unknown database', '/write?db=zz', { body: 'm f=1' }],
    ['an unknown database, and a bad level', '/write?db=zz&consistency=foo', { body: 'm' }],
    ['an unknown policy', '/write?db=d&rp=zz', { body: 'm f=1' }],
    ['an unknown policy and no points', '/write?db=d&rp=zz', { body: '' }],
    ['a named policy', '/write?db=d&rp=short', { body: 'm f=1' }],
    ['nothing parses', '/write?db=d', { body: 'm\nm f=\n<m> f=é' }],
    ['some lines parse', '/write?db=d', { body: 'm f=1 1\nm f=x 2\nm f=3 3' }],
    ['a type in conflict', '/write?db=d', { body: 'taken f=2 2\ntaken f="x" 3' }],
    ['a type in conflict within a batch', '/write?db=d', { body: 'fresh f=1 1\nfresh f="x" 2' }],
    ['a type in conflict and a bad line', '/write?db=d', { body: 'taken f="x" 3\nm' }],
    ['beyond the policy', '/write?db=d&rp=short', { body: `m f=1 ${old}` }],
    ['some beyond the policy', '/write?db=d&rp=short', { body: `m f=1 ${old}\nm f=2` }],
    ['beyond the policy, and a bad line', '/write?db=d&rp=short', { body: `m f=1 ${old}\nm` }],
    ['a tag of the name time', '/write?db=d', { body: 'm,time=x f=1 1' }],
    ['only a field of the name time', '/write?db=d', { body: 'm time=1 1' }],
    ['a field of the name time and another', '/write?db=d', { body: 'm time=1,f=1 1' }],
    ['a carriage return', '/write?db=d', { body: 'm f=1 1\r\n' }],
    ['a time that is too far', '/write?db=d', { body: 'm f=1 9223372036854775807' }],
    ['the last time of all', '/write?db=d', { body: 'm f=1 9223372036854775806' }],
    ['the first time of all', '/write?db=d', { body: 'm f=1 -9223372036854775806' }],
    ['a far future', '/write?db=d&precision=s', { body: 'm f=1 7258118400' }],
    ['a level', '/write?db=d&consistency=all', { body: 'm f=1 1' }],
    ['a level in capitals', '/write?db=d&consistency=ANY', { body: 'm f=1 1' }],
    ['no level', '/write?db=d&consistency=', { body: 'm f=1 1' }],
    ['an unknown level', '/write?db=d&consistency=foo', { body: 'm f=1 1' }],
    ['an unknown level, and nothing parses', '/write?db=d&consistency=foo', { body: 'm' }],
    ['an unknown level and policy', '/write?db=d&rp=zz&consistency=foo', { body: 'm f=1' }],
    ['a pretty error', '/write?db=d&pretty=true', { body: 'm' }],
    ['an error as CSV', '/write?db=d', { body: 'm,a f="x', headers: { accept: 'text/csv' } }],
    ['gzip', '/write?db=d', { body: gzipSync('m f=1 1'), headers: gzip() }],
    ['gzip of two files', '/write?db=d', { body: twice('m f=1 1\n'), headers: gzip() }],
    ['gzip that is none', '/write?db=d', { body: 'm f=1 1', headers: gzip() }],
    ['a long gzip that is none', '/write?db=d', { body: 'm f=1 1'.repeat(9), headers: gzip() }],
    ['half a gzip', '/write?db=d', { body: gzipSync('m f=1 1').subarray(0, 20), headers: gzip() }],
    ['no gzip at all', '/write?db=d', { body: '', headers: gzip() }],
    ['another coding', '/write?db=d', { body: 'm f=1 1', headers: { 'content-encoding': 'br' } }],
    ['too large a body', '/write?db=d', { body: 'm f=1 1\n'.repeat(MAX_BODY_BYTES / 4) }],
    ['another method', '/write?db=d', { method: 'PUT', body: 'm f=1 1' }],
    ['GET', '/write?db=d', { method: 'GET' }],
    ['OPTIONS', '/write', { method: 'OPTIONS' }],
    ['a slash more', '/write/?db=d', { body: 'm f=1 1' }],
    ['an unknown page', '/nope', { method: 'GET' }],
    ['ping', '/ping', { method: 'GET' }],
    ['ping by HEAD', '/ping', { method: 'HEAD' }],
    ['ping by POST', '/ping', {}],
    ['status', '/status', { method: 'GET' }],
    ['too many series', '/write?db=d', { body: manySeries(80) }],
  ];

  for (const [name, path, asked] of rows) {
    it(`${name}: the same answer`, async () => {
      const expected = await ask(direct.url, path, asked);
      expect(await ask(gateway.url, path, asked)).to.deep.equal(expected);
    });
  }

  for (const precision of ['n', 'ns', 'u', 'ms', 's', 'm', 'h', '']) {
    it(`the points are the same in precision "${precision}"`, async () => {
      const path = `/write?db=d&precision=${precision}`;
      const body = `p,u=x${precision} f=1 17\np,u=x${precision} f=2 -9`;
      for (const { url } of [direct, gateway]) {
        expect((await ask(url, path, { body })).status).to.equal(204);
      }
      const rows = (server: TestInfluxd) =>
        server.query(`SELECT f FROM p WHERE u='x${precision}'`, {
          db: 'd',
          params: { epoch: 'n' },
        });
      expect(await rows(behind)).to.deep.equal(await rows(direct));
    });
  }

  it('an unknown precision is refused, where influxd would store points in 1970', async () => {
    const { status, text } = await ask(gateway.url, '/write?db=d&precision=us', {
      body: 'm f=1 1',
    });
    expect({ status, text }).to.deep.equal({
      status: 400,
      text: '{"error":"invalid precision \\"us\\" (use n, u, ms, s, m or h)"}\n',
    });
  });

  it('a point without a time gets one that is cut to the precision', async () => {
    await ask(gateway.url, '/write?db=d&precision=h', { body: 'cut f=1' });
    const [result] = await behind.query('SELECT f FROM cut', { db: 'd', params: { epoch: 'ns' } });
    const time = Number(result?.series?.[0]?.values?.[0]?.[0]);
    expect(time % Number(HOUR_NS)).to.equal(0);
  });

  it('points reach influxd through /api/v2/write', async () => {
    const path = '/api/v2/write?org=o&bucket=d/autogen&precision=us';
    expect((await ask(gateway.url, path, { body: 'v2 f=1 1000' })).status).to.equal(204);
    const rows = await behind.names('SELECT f FROM v2', { db: 'd', params: { epoch: 'ns' } });
    expect(rows).to.deep.equal(['1000000']);
  });

  describe('over two owners', () => {
    let both: WriteGateway;

    before(async () => {
      both = await startWriteGateway({
        sender: influxdSender(
          new Map([
            [1, direct.url],
            [2, behind.url],
          ]),
        ),
        owners: [[1, 2]],
      });
      for (const server of [direct, behind]) await server.query('CREATE DATABASE two');
      both.metadata.add('two');
    });

    after(() => both.close());

    const points = async (server: TestInfluxd, measurement: string) =>
      server.query(`SELECT * FROM ${measurement}`, { db: 'two' });

    it('both keep the same points where many writes bring two types of one field at once', async () => {
      const bodies = Array.from({ length: 24 }, (_, index) => {
        const value = index % 2 === 0 ? String(index) : `"${String(index)}"`;
        return `race f=${value} ${String(index)}\nother${String(index % 5)} f=1 ${String(index)}`;
      });
      const answers = await Promise.all(
        bodies.map((body) => ask(both.url, '/write?db=two&consistency=all', { body })),
      );
      expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([204, 400]));
      const [first, second] = await Promise.all([points(direct, 'race'), points(behind, 'race')]);
      expect(first[0]?.series?.[0]?.values).to.have.length(12);
      expect(second).to.deep.equal(first);
      for (const other of [0, 1, 2, 3, 4].map((each) => `other${String(each)}`)) {
        expect(await points(behind, other)).to.deep.equal(await points(direct, other));
      }
    });

    it('what is good of a batch is on both, in the order of the batch', async () => {
      const body = 'good f=1 1\ngood f=2,g=1 1\nbad f=1 1\nbad f="x" 2\ngood f=3 1';
      const { status, text } = await ask(both.url, '/write?db=two', { body });
      expect(status).to.equal(400);
      expect(text).to.include('field type conflict').and.to.include('dropped=1');
      for (const server of [direct, behind]) {
        const [good] = await points(server, 'good');
        expect(good?.series?.[0]?.values).to.deep.equal([['1970-01-01T00:00:00.000000001Z', 3, 1]]);
        const [bad] = await points(server, 'bad');
        expect(bad?.series?.[0]?.values).to.have.length(1);
      }
    });

    it('one that is paused gets a hint, and the client does not wait for it', async () => {
      await ask(both.url, '/write?db=two', { body: 'slow f=1 1' });
      behind.pause();
      try {
        const since = performance.now();
        const { status } = await ask(both.url, '/write?db=two', { body: 'slow f=2 2' });
        expect(status).to.equal(204);
        expect(performance.now() - since).to.be.lessThan(3_000);
        expect(both.hinted).to.deep.equal(['uid-2']);
      } finally {
        behind.resume();
      }
    });
  });

  function gzip() {
    return { 'content-encoding': 'gzip' };
  }
});

/** Two files one after the other are one to gzip. */
function twice(text: string): Buffer {
  return Buffer.concat([gzipSync(text), gzipSync(text)]);
}

function manySeries(count: number): string {
  return Array.from({ length: count }, (_, index) => `m,s=${String(index)} f=1 1`).join('\n');
}
