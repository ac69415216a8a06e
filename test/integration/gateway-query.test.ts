// The gateway's query path against a real influxd: for the same request it has to answer the same, in every format.
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import { startInfluxd, type TestInfluxd } from '../support/influxd.js';
import { startOneNode, type OneNode } from '../support/gateway/one-node.js';

interface Step {
  readonly id: string;
  readonly q?: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly expect?: string;
  readonly match?: 'exact' | 'regex';
  readonly skip?: boolean;
  readonly write?: unknown;
}

interface Points {
  readonly db: string;
  readonly rp?: string;
  readonly precision?: string;
  readonly lines: readonly string[];
}

interface Database {
  readonly db: string;
  readonly rp?: string;
  readonly rpDuration?: string;
}

interface Case {
  readonly id: string;
  readonly setup: Database & {
    readonly more?: readonly Database[];
    readonly config: Readonly<Record<string, unknown>>;
  };
  readonly clock?: string;
  readonly writes?: readonly Points[];
  readonly steps: readonly Step[];
}

interface Answer {
  readonly status: number;
  readonly type: string | undefined;
  readonly encoding: string | undefined;
  readonly error: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

interface Ask {
  readonly parameters: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: 'GET' | 'POST';
  /** A form or a multipart body; `parameters` stay in the URL. */
  readonly body?: string;
}

function ask(base: string, { parameters, headers, method, body }: Ask): Promise<Answer> {
  const url = `${base}/query?${new URLSearchParams(parameters).toString()}`;
  return new Promise((resolve, reject) => {
    const call = request(url, { method: method ?? 'POST', headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const encoding = answer.headers['content-encoding'];
        resolve({
          status: answer.statusCode ?? 0,
          type: answer.headers['content-type'],
          encoding,
          error: answer.headers['x-influxdb-error'] as string | undefined,
          headers: answer.headers,
          body: (encoding === 'gzip' ? gunzipSync(bytes) : bytes).toString('latin1'),
        });
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

/** What both have to say alike. */
function sameParts({ status, type, encoding, error, body }: Answer): Omit<Answer, 'headers'> {
  return { status, type, encoding, error, body };
}

const FORMS: readonly Ask[] = [
  { parameters: {} },
  { parameters: { chunked: 'true' } },
  { parameters: { chunked: 'true', chunk_size: '1' } },
  { parameters: {}, headers: { accept: 'application/csv' } },
  { parameters: {}, headers: { accept: 'application/x-msgpack' } },
  { parameters: { pretty: 'true' } },
  { parameters: { epoch: 'ms' } },
  { parameters: {}, headers: { 'accept-encoding': 'gzip' } },
  { parameters: { chunked: 'true', chunk_size: '2', pretty: 'true' } },
  { parameters: { chunked: 'true', chunk_size: '1' }, headers: { accept: 'text/csv' } },
  {
    parameters: { chunked: 'true', chunk_size: '1', epoch: 'ns' },
    headers: { accept: 'application/x-msgpack' },
  },
];

/** Statements that can be run again and again; influxd prints names with the database and policy that they are in. */
const CHANGES: readonly string[] = [
  'create database many with duration 2h30m shard duration 1d',
  'CREATE DATABASE many WITH NAME x',
  'create retention policy p on many duration 120m replication 1 shard duration 60m',
  'ALTER RETENTION POLICY p ON many DURATION inf',
  'ALTER RETENTION POLICY p ON many DURATION 36h REPLICATION 1 SHARD DURATION 1h',
  'CREATE CONTINUOUS QUERY q ON many BEGIN SELECT mean(v) AS "m" INTO many.autogen.x FROM many.autogen.cpu GROUP BY time(60m), * END',
  'DROP CONTINUOUS QUERY q ON many',
  "CREATE USER u WITH PASSWORD 'p'",
  "SET PASSWORD FOR u = 'p'",
  'GRANT READ ON many TO u',
  'REVOKE ALL ON many FROM u',
  'GRANT ALL PRIVILEGES TO u',
  'REVOKE ALL PRIVILEGES FROM u',
  'DELETE FROM nope WHERE time < now() - 90m',
  "DROP SERIES FROM nope, /no\\/pe/ WHERE a = 'b' or b !~ /c/",
  'DROP MEASUREMENT "no pe"',
  'DROP DATABASE nope',
  'SELECT v INTO many.autogen.nope FROM many.autogen.nope WHERE time > 90s',
];

const BOUND: readonly (readonly [q: string, params: string])[] = [
  ['DELETE FROM $m WHERE a = $a', '{"m":{"identifier":"no pe"},"a":"it\'s"}'],
  ['DELETE FROM $m', '{"m":{"regex":"no/pe"}}'],
  ['DELETE FROM $m', '{"m":"nope"}'],
  ['DELETE FROM nope WHERE time < $t', '{"t":9007199254740993}'],
  ['DELETE FROM nope WHERE time < $t', '{"t":9223372036854775808}'],
  ['DELETE FROM nope WHERE time < $t', '{"t":1e3}'],
  ['DELETE FROM nope WHERE time < now() - $t', '{"t":{"duration":"2h"}}'],
  ['DELETE FROM nope WHERE a = $a', '{}'],
  ['DELETE FROM nope WHERE a = $a', '{"a":null}'],
  ['DROP SERIES FROM nope WHERE a = $a', '{"a":"x\\ny"}'],
  ['DROP MEASUREMENT $m', '{"m":{"identifier":"no pe"}}'],
  ['CREATE DATABASE $d', '{"d":{"identifier":"a b"}}'],
  ['CREATE DATABASE $d', '{"d":"a b"}'],
  [
    'CREATE RETENTION POLICY r ON $d DURATION $t REPLICATION $n',
    '{"d":{"identifier":"a b"},"t":{"duration":"120m"},"n":1}',
  ],
  ['CREATE RETENTION POLICY r2 ON many DURATION 1h REPLICATION $n', '{"n":1.0}'],
  ['CREATE USER $u WITH PASSWORD $p', '{"u":{"ident":"u 1"},"p":"it\'s"}'],
  [
    'SELECT v INTO many.autogen.$t FROM many.autogen.nope WHERE v > $v',
    '{"t":{"identifier":"x"},"v":1.5}',
  ],
  [
    'CREATE CONTINUOUS QUERY c ON many BEGIN SELECT mean(v) INTO many.autogen.x FROM many.autogen.y WHERE host = $a AND v > $f AND i = $i AND w = $g AND b = $b GROUP BY time($d) END',
    '{"a":"it\'s","f":1.0,"i":9007199254740993,"g":{"float":2.5},"b":true,"d":{"duration":"1h"}}',
  ],
];

const READS = /^\s*(?:SELECT(?![\s\S]*\bINTO\b)|SHOW|EXPLAIN)\b/i;
/** What two requests can't be answered alike by: times of a running process. */
const CHANGING = /SHOW (?:STATS|DIAGNOSTICS|QUERIES|SHARDS)|EXPLAIN ANALYZE|now\(\)/i;

const CASES = JSON.parse(
  readFileSync(new URL('../conformance/influxql-cases.json', import.meta.url), 'utf8'),
) as { readonly cases: readonly Case[] };

describe('the gateway answers queries as influxd does', () => {
  let influxd: TestInfluxd;
  let node: OneNode;

  before(async () => {
    influxd = await startInfluxd();
    node = await startOneNode(influxd);
    await fill();
  });
  after(async () => {
    await node.close();
    await influxd.remove();
  });

  /** The database that most of these tests read. */
  async function fill(): Promise<void> {
    await influxd.query('DROP DATABASE many');
    await influxd.query('CREATE DATABASE many');
    await influxd.write('many', [
      'cpu,host=a v=1,i=5i,s="a,b\\"c<d",b=true 1000000000',
      'cpu,host=b v=2.5,i=9007199254740993i 2000000000',
      'cpu,host=c v=1e300,s="  x" 3000000000',
    ]);
    await node.metadata.look();
  }

  async function both(one: Ask): Promise<Answer> {
    const [direct, through] = await Promise.all([ask(influxd.url, one), ask(node.url, one)]);
    expect(sameParts(through), JSON.stringify(one)).to.deep.equal(sameParts(direct));
    return through;
  }

  async function prepare({ setup, writes }: Case): Promise<void> {
    for (const { db, rp, rpDuration } of [setup, ...(setup.more ?? [])]) {
      if (db === '') continue;
      await influxd.query(`DROP DATABASE "${db}"`);
      const policy = rp === undefined ? '' : ` WITH DURATION ${rpDuration ?? '0s'} NAME "${rp}"`;
      await influxd.query(`CREATE DATABASE "${db}"${policy}`);
    }
    await node.metadata.look();
    for (const { db, rp, precision, lines } of writes ?? []) {
      const parameters = new URLSearchParams({
        db,
        ...(rp && { rp }),
        ...(precision && { precision }),
      });
      const url = `${influxd.url}/write?${parameters.toString()}`;
      const answer = await fetch(url, { method: 'POST', body: lines.join('\n') });
      expect(answer.status, await answer.text()).to.equal(204);
    }
  }

  it('gives the same body and status for the reads of the conformance cases, in all formats', async () => {
    let compared = 0;
    for (const one of CASES.cases) {
      if (Object.keys(one.setup.config).length > 0 || one.clock !== undefined) continue;
      await prepare(one);
      for (const { q, params, skip, write } of one.steps) {
        if (q === undefined || skip === true || write !== undefined) continue;
        if (!READS.test(q)) {
          await ask(influxd.url, { parameters: { ...params, q } });
          await node.metadata.look();
        } else if (!CHANGING.test(q)) {
          const form = FORMS[compared % FORMS.length] as Ask;
          await both({ ...form, parameters: { ...params, ...form.parameters, q } });
          compared += 1;
        }
      }
    }
    expect(compared).to.be.greaterThan(200);
  }).timeout(60_000);

  describe('several statements in one request', () => {
    const TEXTS = [
      'SELECT * FROM cpu; SELECT v FROM nope; SHOW MEASUREMENTS',
      'SELECT v FROM nope; SELECT v FROM nope',
      '-- a comment\nSELECT v FROM cpu GROUP BY host ; ; SHOW DATABASES;',
      'SHOW DATABASES; SHOW RETENTION POLICIES; SELECT count(v) FROM cpu; SHOW USERS',
      Array.from({ length: 140 }, () => 'SELECT v FROM cpu').join(';'),
    ];

    for (const form of FORMS) {
      it(`answers with ${JSON.stringify(form)}`, async () => {
        for (const q of TEXTS) {
          await both({ ...form, parameters: { db: 'many', ...form.parameters, q } });
        }
      });
    }

    it('shows the error of the statement that failed, and runs none after it', async () => {
      const q = 'SELECT v FROM many.nope.cpu; CREATE DATABASE never; SHOW DATABASES';
      const { body, status } = await ask(node.url, { parameters: { q } });
      expect(status).to.equal(200);
      expect(body).to.equal(
        '{"results":[{"statement_id":0,"error":"retention policy not found: nope"},' +
          '{"statement_id":1,"error":"not executed"},{"statement_id":2,"error":"not executed"}]}\n',
      );
      expect(await influxd.names('SHOW DATABASES')).not.to.include('never');
    });

    it('runs none after a failed one in CSV either, where the error is not shown', async () => {
      const q = 'SELECT v FROM many.nope.cpu; CREATE DATABASE never';
      const headers = { accept: 'text/csv' };
      const { body } = await ask(node.url, { parameters: { q }, headers });
      expect(body).to.equal('');
      expect(await influxd.names('SHOW DATABASES')).not.to.include('never');
    });
  });

  describe('parameters', () => {
    const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
    const MULTIPART = { 'content-type': 'multipart/form-data; boundary=X' };
    const part = (disposition: string, value: string) =>
      `--X\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`;

    it('come from the URL, a form or a multipart form', async () => {
      const q = 'SELECT * FROM cpu';
      const form = new URLSearchParams({ q, db: 'many', epoch: 's' }).toString();
      const multipart = `${part('name="db"', 'many')}${part('name="q"; filename="f"', q)}--X--\r\n`;
      await both({ parameters: { q, db: 'many', rp: 'autogen' }, method: 'GET' });
      await both({ parameters: { db: 'none' }, headers: FORM, body: form });
      await both({ parameters: { q: 'SELECT i FROM cpu' }, headers: FORM, body: form });
      await both({ parameters: { epoch: 'u' }, headers: MULTIPART, body: multipart });
    });

    it('are bound as influxd binds them', async () => {
      const q = 'SELECT i FROM cpu WHERE v > $v AND time > $t';
      const ask = (params: string) => both({ parameters: { db: 'many', q, params } });
      const { body } = await ask('{"v":1.5,"t":1000000000}');
      expect(body).to.include('9007199254740993');
      await ask('{"v":1}');
      await ask('{');
      await ask('[1]');
    });

    it("that are missing or wrong get influxd's own words", async () => {
      const TEXTS = [
        '',
        ' ',
        ';',
        '--x',
        'SELEC',
        'SELECT v FROM',
        "SELECT 'a",
        'CREATE USER jdoe',
        'SHOW',
        'SELEC "ü"',
        `SHOW "${'x'.repeat(1_200)}"`,
      ];
      for (const form of FORMS) {
        for (const q of TEXTS) await both({ ...form, parameters: { ...form.parameters, q } });
        await both({ ...form, parameters: form.parameters });
      }
    });
  });

  it('answers SELECT INTO with the number of points, which are there afterwards with their types', async () => {
    const q = 'SELECT * INTO copy FROM cpu GROUP BY *';
    const { body } = await ask(node.url, { parameters: { db: 'many', q } });
    expect(body).to.equal(
      '{"results":[{"statement_id":0,"series":[{"name":"result","columns":["time","written"],"values":[["1970-01-01T00:00:00Z",3]]}]}]}\n',
    );
    const text = async (from: string) => {
      const parameters = {
        db: 'many',
        q: `SELECT * FROM ${from} GROUP BY *; SHOW FIELD KEYS FROM ${from}`,
      };
      return (await ask(influxd.url, { parameters })).body.replaceAll(`"${from}"`, '');
    };
    expect(await text('copy')).to.equal(await text('cpu'));
  });

  const INTOS = [
    'SELECT * INTO :target FROM cpu',
    'SELECT * INTO :target FROM cpu GROUP BY *',
    'SELECT v AS x, i INTO :target FROM cpu GROUP BY host',
    'SELECT mean(v), count(i) INTO :target FROM cpu WHERE time >= 0 AND time < 10s GROUP BY time(2s), host',
    'SELECT mean(v) INTO :target FROM cpu WHERE time >= 0 AND time < 10s GROUP BY time(2s) fill(7)',
    'SELECT count(i) INTO :target FROM cpu WHERE time >= 0 AND time < 10s GROUP BY time(2s) fill(null) ORDER BY time DESC LIMIT 2',
    "SELECT count(i) INTO :target FROM /c(p)u/ WHERE host =~ /a(b)?/ AND time >= 0 AND time < 10s GROUP BY time(2s), /h(o)st/ LIMIT 3 tz('UTC')",
    'SELECT first(s) INTO :target FROM cpu',
    'SELECT top(v, host, 2) INTO :target FROM cpu',
    'SELECT bottom(v, host, 2), i INTO :target FROM cpu',
    'SELECT top(v, 2) INTO :target FROM cpu GROUP BY host',
    'SELECT max(v) INTO :target FROM (SELECT v FROM cpu GROUP BY host) GROUP BY host',
    'SELECT v INTO :target FROM nothing',
    'SELECT nothing(v) INTO :target FROM cpu',
    'SELECT v INTO nowhere..:target FROM cpu',
    'SELECT v INTO nopolicy.:target FROM cpu',
    'SELECT v + i AS "a b", s INTO :target FROM /cpu/ WHERE host = \'a\'',
  ];

  for (const text of INTOS) {
    it(`writes for ${text} what influxd writes`, async () => {
      const run = async (url: string, target: string) => {
        await influxd.query(`DROP MEASUREMENT "${target}"`, { db: 'many' });
        const q = text.replace(':target', `"${target}"`);
        const { status, body } = await ask(url, { parameters: { db: 'many', q } });
        const back = `SELECT * FROM "${target}" GROUP BY *; SHOW FIELD KEYS FROM "${target}"`;
        const read = await ask(influxd.url, { parameters: { db: 'many', q: back } });
        return { status, body, written: read.body.replaceAll(`"${target}"`, '') };
      };
      expect(await run(node.url, 'through')).to.deep.equal(await run(influxd.url, 'direct'));
    });
  }

  it('copies each measurement under its own name', async () => {
    await influxd.query('CREATE DATABASE other');
    await node.metadata.look();
    const q = 'SELECT * INTO other..:MEASUREMENT FROM /cp.*/ GROUP BY *';
    await ask(node.url, { parameters: { db: 'many', q } });
    const back = (db: string) => ask(influxd.url, { parameters: { db, q: 'SELECT * FROM cpu' } });
    expect((await back('other')).body).to.equal((await back('many')).body);
  });

  it('writes the tags of top() as tags', async () => {
    const q = 'SELECT top(v, host, 2) INTO tops FROM cpu';
    await ask(node.url, { parameters: { db: 'many', q } });
    const [result] = await influxd.query('SELECT * FROM tops GROUP BY *', { db: 'many' });
    expect(result?.series?.map((series) => series.tags)).to.deep.equal([
      { host: 'b' },
      { host: 'c' },
    ]);
  });

  it('warns where a change comes by GET', async () => {
    const parameters = { q: 'CREATE DATABASE many' };
    await both({ parameters, method: 'GET' });
    await both({ parameters, method: 'GET', headers: { accept: 'application/x-msgpack' } });
    await both({ parameters: { ...parameters, pretty: 'true' }, method: 'GET' });
    for (const q of CHANGES) await both({ parameters: { db: 'many', q }, method: 'GET' });
  });

  it('binds parameters in what changes something', async () => {
    for (const [q, params] of BOUND) {
      for (const method of ['POST', 'GET'] as const) {
        await both({ parameters: { db: 'many', q, params }, method });
      }
    }
    const { body } = await both({ parameters: { q: 'SHOW CONTINUOUS QUERIES' } });
    expect(body).to.include("host = 'it\\\\'s' AND v \\u003e 1.000 AND i = 9007199254740993");
  });

  it('runs an asynchronous query after its answer', async () => {
    const parameters = { db: 'many', q: 'SELECT v FROM cpu', async: 'true' };
    const { status } = await both({ parameters });
    expect(status).to.equal(204);
  });

  it('passes a million rows on without holding them', async () => {
    const lines: string[] = [];
    for (let at = 0; at < 100_000; at += 1) lines.push(`big f=${at.toString()} ${at.toString()}`);
    await influxd.write('many', lines);
    const names = Array.from({ length: 10 }, () => 'SELECT f FROM big').join(';');
    global.gc?.();
    const beforeBytes = process.memoryUsage().rss;
    let peakBytes = 0;
    let rows = 0;
    const url = `${node.url}/query?${new URLSearchParams({ db: 'many', q: names, chunked: 'true', epoch: 'ns' }).toString()}`;
    const answer = await fetch(url, { method: 'POST' });
    for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
      rows += Buffer.from(chunk).toString('latin1').split('],[').length;
      peakBytes = Math.max(peakBytes, process.memoryUsage().rss);
    }
    expect(rows).to.be.greaterThan(900_000);
    // The answer has 16 MB.
    expect((peakBytes - beforeBytes) / 2 ** 20).to.be.lessThan(100);
  }).timeout(60_000);
});
