// The clients that people use, unchanged, against the gateway: InfluxDB's shell with its import, and two libraries for Node. What
// the shell and the older library do is done to a plain influxd too: that is what the gateway is measured by.
import { InfluxDB as InfluxDB2, Point, setLogger } from '@influxdata/influxdb-client';
import { expect } from 'chai';
import { FieldType, InfluxDB } from 'influx';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterNode } from '../support/cluster-node.js';
import { useCluster } from '../support/cluster-suite.js';
import { eventually } from '../support/eventually.js';
import { influxShell } from '../support/gateway/influx-shell.js';
import { ADMIN, loginsAgree } from '../support/gateway/logins.js';
import { startInfluxd, type TestInfluxd } from '../support/influxd.js';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temp-dir.js';

const START_MS = 1_500_000_000_000;

/** As `influx_inspect export` writes it. */
function exportOf(database: string, points: number): string {
  const lines = Array.from(
    { length: points },
    (_, number) => `cpu,host=h${number % 10} v=${number} ${START_MS + number}000000`,
  );
  return [
    '# INFLUXDB EXPORT: 1677-09-21T00:12:43Z - 2262-04-11T23:47:16Z',
    '# DDL',
    `CREATE DATABASE "${database}" WITH NAME "kept"`,
    `CREATE RETENTION POLICY "two words" ON "${database}" DURATION 0s REPLICATION 1`,
    '# DML',
    `# CONTEXT-DATABASE:${database}`,
    '# CONTEXT-RETENTION-POLICY:kept',
    '# writing tsm data',
    ...lines,
    '# CONTEXT-RETENTION-POLICY:two words',
    `odd\\ one,t\\,g=a\\=b f="x, \\"y\\"",i=5i ${START_MS}000000`,
    '',
  ].join('\n');
}

describe('clients that people use', function () {
  this.timeout(60_000);
  let directory: TemporaryDirectory;
  before(async () => {
    directory = await temporaryDirectory('clients');
    // What it would say to the console of a refused write is looked at as an error.
    setLogger({ error: () => undefined, warn: () => undefined });
  });
  after(() => directory.remove());

  describe('with influxd', () => {
    let influxd: TestInfluxd;
    before(async () => {
      influxd = await startInfluxd();
    });
    after(() => influxd.remove());

    behaveAsEver(() => [influxd.url, influxd.url]);
  });

  describe('with the gateways of two nodes', () => {
    const cluster = useCluster({ nodes: 2 });
    const urls = () => {
      const [first, second] = cluster().nodes;
      return [first!.gatewayUrl, second!.gatewayUrl] as const;
    };

    before(() => untilServed(urls()));

    behaveAsEver(urls);

    it('a DELETE with bound parameters means the same on both', async () => {
      const [write, read] = urls();
      const reader = library(read, 'bound');
      await reader.createDatabase('bound');
      const points = [1, 2, 3].map((v) => ({ tags: { by: `it's ${v}` }, fields: { v } }));
      await reader.writeMeasurement('m', points);
      const form = { db: 'bound', q: 'DELETE FROM $m WHERE "by" = $by AND time < now()' };
      const params = JSON.stringify({ m: { identifier: 'm' }, by: "it's 2" });
      const body = new URLSearchParams({ ...form, params });
      const signal = AbortSignal.timeout(10_000);
      const answer = await fetch(`${write}/query`, { method: 'POST', body, signal });
      expect(await answer.text()).to.equal('{"results":[{"statement_id":0}]}\n');
      for (const { influxd } of cluster().nodes) {
        const [result] = await influxd.query('SELECT v FROM m', { db: 'bound' });
        const values = result?.series?.[0]?.values?.map(([, v]) => v);
        expect(values).to.have.members([1, 3]);
      }
    });

    it('the library @influxdata/influxdb-client writes in its way for InfluxDB 1.x', async () => {
      const [write, read] = urls();
      const reader = library(read, 'v2');
      await reader.createDatabase('v2');
      const client = new InfluxDB2({ url: write, token: 'user:password' });
      for (const [bucket, precision] of [
        ['v2/autogen', 'ms'],
        ['v2', 's'],
      ] as const) {
        const api = client.getWriteApi('', bucket, precision, {
          maxRetries: 0,
          gzipThreshold: 100,
        });
        const time = precision === 'ms' ? START_MS : START_MS / 1_000;
        for (let number = 0; number < 100; number += 1) {
          const point = new Point('m').tag('by', precision).tag('n', String(number));
          api.writePoint(point.floatField('v', number).timestamp(time));
        }
        await api.close();
      }
      const rows = await reader.query<{ count: number; by: string }>(
        `SELECT count(v) FROM m WHERE time = ${START_MS}ms GROUP BY "by"`,
      );
      expect(rows.map(({ by, count }) => [by, count])).to.deep.equal([
        ['ms', 100],
        ['s', 100],
      ]);
    });
  });

  describe('where clients have to log in', () => {
    const secured = useCluster({ nodes: 0, influxd: { authEnabled: true } });
    let node: ClusterNode;
    before(async () => {
      const passwordFile = join(directory.path, 'password');
      await writeFile(passwordFile, 'p4ss:word\n');
      const influxdb = { username: 'root', 'password-file': passwordFile };
      node = await secured().addNode({ config: { influxdb }, withAgent: false });
      await node.influxd.query("CREATE USER root WITH PASSWORD 'p4ss:word' WITH ALL PRIVILEGES");
      await node.startAgent();
      await untilServed([node.gatewayUrl], ADMIN);
    });

    it('get in with the right password', async () => {
      const account = ['-username', 'root', '-password', 'p4ss:word'];
      const made = await influxShell(node.gatewayUrl, ...account, '-execute', 'CREATE DATABASE d');
      expect(made).to.deep.equal({ code: 0, output: '' });
      const older = library(node.gatewayUrl, 'd', { username: 'root', password: 'p4ss:word' });
      await older.writeMeasurement('m', [{ tags: { by: 'older' }, fields: { v: 1 } }]);
      const newer = new InfluxDB2({ url: node.gatewayUrl, token: 'root:p4ss:word' });
      const api = newer.getWriteApi('', 'd/autogen', 'ns', { maxRetries: 0 });
      api.writePoint(new Point('m').tag('by', 'newer').floatField('v', 2));
      await api.close();
      const rows = await older.query<{ by: string; v: number }>('SELECT * FROM m GROUP BY "by"');
      expect(rows.map(({ by, v }) => [by, v])).to.deep.equal([
        ['newer', 2],
        ['older', 1],
      ]);
    });

    it("stay out with a wrong one, in influxd's words", async () => {
      const account = ['-username', 'root', '-password', 'wrong'];
      const shell = await influxShell(node.gatewayUrl, ...account, '-execute', 'SHOW DATABASES');
      expect(shell.output).to.match(/^ERR: authorization failed\n/);
      const older = library(node.gatewayUrl, 'd', { username: 'root', password: 'wrong' });
      const error: unknown = await older.getDatabaseNames().catch((thrown: unknown) => thrown);
      expect(String(error)).to.include('authorization failed');
      const newer = new InfluxDB2({ url: node.gatewayUrl, token: 'root:wrong' });
      const api = newer.getWriteApi('', 'd/autogen', 'ns', { maxRetries: 0 });
      api.writePoint(new Point('m').floatField('v', 1));
      const failed: unknown = await api.close().catch((thrown: unknown) => thrown);
      expect(failed).to.have.property('statusCode', 401);
    });

    describe('everybody else', () => {
      loginsAgree(() => node);
    });
  });

  /** `place`: where one writes and where one reads, which need not be the same node. */
  function behaveAsEver(place: () => readonly [write: string, read: string]): void {
    it('the influx shell runs statements, inserts and reads', async () => {
      const [write, read] = place();
      const made = await influxShell(write, '-execute', 'CREATE DATABASE shell');
      expect(made).to.deep.equal({ code: 0, output: '' });
      const insert = `INSERT m,host=a v=1,s="a b" ${START_MS}000000`;
      const inserted = await influxShell(write, '-database', 'shell', '-execute', insert);
      expect(inserted).to.deep.equal({ code: 0, output: '' });
      const query = ['-database', 'shell', '-execute', 'SELECT host, v, s FROM m'];
      const json = await influxShell(read, ...query, '-format', 'json');
      expect(JSON.parse(json.output)).to.deep.equal({
        results: [
          {
            series: [
              {
                name: 'm',
                columns: ['time', 'host', 'v', 's'],
                values: [[START_MS * 1_000_000, 'a', 1, 'a b']],
              },
            ],
          },
        ],
      });
      const csv = await influxShell(read, ...query, '-format', 'csv', '-precision', 'rfc3339');
      expect(csv.output).to.include('m,2017-07-14T02:40:00Z,a,1,a b');
      const wrong = await influxShell(read, '-execute', 'SELEC');
      expect(wrong.output).to.include('ERR: error parsing query: found SELEC');
      const missing = await influxShell(read, '-database', 'none', '-execute', 'SELECT v FROM m');
      expect(missing.output).to.include('database not found: none');
    });

    it('the influx shell imports an export', async () => {
      const [write, read] = place();
      const file = join(directory.path, 'export.txt');
      // More than one batch of 5,000.
      await writeFile(file, exportOf('imported', 6_000));
      const { code, output } = await influxShell(write, '-import', '-path', file);
      expect(code, output.slice(0, 500)).to.equal(0);
      expect(output).to.match(/Processed 2 commands/);
      expect(output).to.match(/Processed 6001 inserts/);
      expect(output).to.match(/Failed 0 inserts/);
      const count = 'SELECT count(v), sum(v) FROM cpu';
      const counted = await influxShell(
        read,
        ...['-database', 'imported', '-format', 'csv', '-execute', count],
      );
      expect(counted.output).to.include(`cpu,0,6000,${(6_000 * 5_999) / 2}`);
      const odd = 'SELECT * FROM imported."two words"."odd one"';
      const found = await influxShell(read, '-format', 'csv', '-execute', odd);
      expect(found.output).to.include(`odd one,${START_MS}000000,"x, ""y""",5,a=b`);
    });

    it('the library influx makes, writes, reads and drops', async () => {
      const [write, read] = place().map((url) => library(url, 'library')) as [InfluxDB, InfluxDB];
      await write.createDatabase('library');
      await write.createRetentionPolicy('brief', {
        database: 'library',
        duration: '1d',
        replication: 1,
        isDefault: false,
      });
      const names = (await read.showRetentionPolicies()).map(({ name }) => name);
      expect(names).to.deep.equal(['autogen', 'brief']);
      const timestamp = new Date(START_MS);
      await write.writePoints(
        ['a', "b 'c'"].map((host) => ({
          measurement: 'm',
          tags: { host },
          fields: { v: 1.5, n: 3, is: true, s: 'x "y" = z' },
          timestamp,
        })),
      );
      const rows = await read.query<{ host: string; s: string; n: number; time: Date }>(
        'SELECT * FROM m WHERE host = $host',
        { placeholders: { host: "b 'c'" } },
      );
      expect(rows).to.have.length(1);
      expect(rows[0]).to.deep.include({ host: "b 'c'", v: 1.5, n: 3, is: true, s: 'x "y" = z' });
      expect(rows[0]!.time.getTime()).to.equal(START_MS);
      expect(await read.getMeasurements()).to.deep.equal(['m']);
      expect([...(await read.getSeries())].sort()).to.deep.equal(['m,host=a', "m,host=b\\ 'c'"]);
      await write.dropMeasurement('m');
      expect(await read.getMeasurements()).to.deep.equal([]);
      const [pinged] = await read.ping(5_000);
      expect([pinged?.online, pinged?.version]).to.deep.equal([true, '1.6.7~rc0']);
      await write.dropDatabase('library');
      expect(await read.getDatabaseNames()).not.to.include('library');
    });
  }
});

/**
 * An agent that has just begun answers 503 until it has heard of its cluster, and takes direct writes once its peers have said
 * that they hold nothing for it. Real clients try again; these tests want to see first answers.
 */
async function untilServed(
  urls: readonly string[],
  account: Readonly<Record<string, string>> = {},
): Promise<void> {
  const ask = async (url: string, path: string, parameters: object, body: string) => {
    const query = new URLSearchParams({ ...account, ...parameters }).toString();
    const answer = await fetch(`${url}${path}?${query}`, { method: 'POST', body });
    await answer.text();
    return answer.status < 300;
  };
  for (const url of urls) {
    const q = 'CREATE DATABASE started';
    await eventually(() => ask(url, '/query', { q }, ''), { withinMs: 10_000 });
    const line = `m f=1 ${START_MS}000000`;
    // The level that the shell asks for.
    const write = { db: 'started', consistency: 'all' };
    await eventually(() => ask(url, '/write', write, line), { withinMs: 10_000 });
  }
}

function library(
  url: string,
  database: string,
  account: { username?: string; password?: string } = {},
): InfluxDB {
  const { hostname: host, port } = new URL(url);
  const fields = {
    v: FieldType.FLOAT,
    n: FieldType.INTEGER,
    is: FieldType.BOOLEAN,
    s: FieldType.STRING,
  };
  return new InfluxDB({
    host,
    port: Number(port),
    database,
    schema: [{ measurement: 'm', fields, tags: ['host', 'by'] }],
    ...account,
  });
}
