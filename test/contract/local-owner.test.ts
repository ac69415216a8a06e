// An owner on a real influxd: what becomes of each kind of answer that InfluxDB gives to a write, and how a read begins.
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { InfluxDataClient } from '../../agent/influxd/data-client.js';
import { createDataClient } from '../../agent/influxd/data-client.js';
import { eventually } from '../support/eventually.js';
import type { OwnerUnderTest } from '../support/gateway/local-owner.js';
import { batchOf, metadataOf, ownerOn, POLICY, readOf } from '../support/gateway/local-owner.js';
import { startInfluxd, type TestInfluxd } from '../support/influxd.js';

const NEVER = new AbortController().signal;

describe('an owner and its influxd', function () {
  this.timeout(30_000);
  let influxd: TestInfluxd;
  let client: InfluxDataClient;
  let owned: OwnerUnderTest;
  before(async () => {
    influxd = await startInfluxd({
      config: { http: { 'max-body-size': 2_000 }, data: { 'max-series-per-database': 50 } },
    });
    client = createDataClient({ url: influxd.url });
  });
  after(async () => {
    client.close();
    await influxd.remove();
  });
  beforeEach(async () => {
    await influxd.query('DROP DATABASE telegraf');
    await influxd.query('CREATE DATABASE telegraf');
    owned = ownerOn(client);
  });

  const apply = (lines: string | string[], changes = {}) =>
    owned.owner.apply(batchOf(lines, changes), NEVER);
  const count = async (measurement: string) => {
    const [result] = await influxd.query(`SELECT count(v) FROM ${measurement}`, { db: 'telegraf' });
    return result?.series?.[0]?.values?.[0]?.[1] ?? 0;
  };

  it('applies a batch in the precision that it bears', async () => {
    expect(await apply(['m v=1 1', 'm v=2 2'])).to.deep.equal({ kind: 'applied' });
    const [result] = await influxd.query('SELECT v FROM m', {
      db: 'telegraf',
      params: { epoch: 's' },
    });
    expect(result?.series?.[0]?.values).to.deep.equal([
      [1, 1],
      [2, 2],
    ]);
  });

  it('has lines refused that conflict with a type, and the others applied', async () => {
    await apply('m v=1 1');
    const outcome = await apply(['m v="text" 2', 'm v=3 3']);
    expect(outcome).to.deep.include({ kind: 'refused', dropped: 1 });
    expect(outcome)
      .to.have.property('text')
      .that.matches(/field type conflict: .*dropped=1$/);
    expect(await count('m')).to.equal(2);
  });

  it('has lines refused that do not parse, some or all, and says how many', async () => {
    const some = await apply(['m v=1 1', 'm v=', 'nonsense']);
    expect(some).to.deep.include({ kind: 'refused', dropped: 2 });
    expect(await count('m')).to.equal(1);
    const all = await apply(['m v=', 'nonsense']);
    expect(all).to.deep.include({ kind: 'refused', dropped: 2 });
  });

  it('has lines refused whose names have bytes that no header may have', async () => {
    // influxd copies them into one as they are.
    for (const odd of [[0x00], [0x01, 0x1b, 0x7f], [0xff, 0xc3], [0x0d]]) {
      const name = Buffer.from([0x6d, ...odd, 0x6e]);
      const line = (rest: string) => Buffer.concat([name, Buffer.from(rest)]);
      await apply('', { body: line(' v=1 1') });
      const body = line(' v="text" 2\nm v=3 3');
      const outcome = await apply(['', ''], { body });
      expect(outcome, String(odd)).to.deep.include({ kind: 'refused', dropped: 1 });
    }
    const wrong = await owned.owner.read(readOf('SHOW "ü\u0001\u007f"'), NEVER);
    if (wrong.kind !== 'opened') throw new Error(JSON.stringify(wrong));
    expect(wrong.status).to.equal(400);
    expect(wrong.error).to.match(/^error parsing query: found ü\u0001\u007f, expected /);
    wrong.body.destroy();
  });

  it('has points refused that are beyond the policy, and those beyond the number of series', async () => {
    await influxd.query('ALTER RETENTION POLICY autogen ON telegraf DURATION 1h SHARD DURATION 1h');
    const now = Math.floor(Date.now() / 1_000);
    const old = await apply([`m v=1 ${now}`, 'm v=1 1', 'm v=1 2']);
    expect(old).to.deep.include({ kind: 'refused', dropped: 2 });
    const lines = Array.from({ length: 60 }, (_, at) => `m,t=${at} v=1 ${now}`);
    const many = await apply(lines);
    expect(many)
      .to.have.property('text')
      .that.matches(/max-series-per-database/);
    expect(many).to.have.property('kind', 'refused');
  });

  it('says that a batch is too large for it, so that it is halved', async () => {
    const lines = Array.from({ length: 300 }, (_, at) => `m v=1 ${at}`);
    expect(await apply(lines)).to.deep.equal({ kind: 'too-large' });
  });

  it('waits for a database that the cluster has and influxd not yet, and never creates it', async () => {
    await influxd.query('DROP DATABASE telegraf');
    const outcome = apply('m v=1 1');
    await influxd.query('CREATE DATABASE telegraf');
    expect(await outcome).to.deep.equal({ kind: 'applied' });
    await influxd.query('DROP DATABASE telegraf');
    const failed = await apply('m v=1 1');
    expect(failed).to.have.property('kind', 'failed');
    expect(failed)
      .to.have.property('why')
      .that.matches(/the cluster has .*database not found/);
    expect(await influxd.names('SHOW DATABASES')).not.to.include('telegraf');
  });

  it('waits for a policy likewise', async () => {
    await influxd.query(`DROP RETENTION POLICY ${POLICY} ON telegraf`);
    const outcome = apply('m v=1 1');
    await influxd.query('CREATE RETENTION POLICY autogen ON telegraf DURATION 0s REPLICATION 1');
    expect(await outcome).to.deep.equal({ kind: 'applied' });
  });

  it('lets points go whose database was dropped meanwhile', async () => {
    await influxd.query('DROP DATABASE telegraf');
    const outcome = apply('m v=1 1');
    owned.world.metadata = { ...metadataOf(), databases: new Map() };
    expect(await outcome).to.have.property('kind', 'gone');
  });

  it('streams what influxd answers, errors of a statement too', async () => {
    await apply(['m v=1 1', 'm v=2 2']);
    const opened = await owned.owner.read(readOf('SELECT v FROM m'), NEVER);
    if (opened.kind !== 'opened') throw new Error(JSON.stringify(opened));
    expect([opened.status, opened.contentType]).to.deep.equal([200, 'application/json']);
    expect(JSON.parse(await text(opened.body))).to.have.nested.property(
      'results[0].series[0].values.length',
      2,
    );
    const csv = await owned.owner.read(readOf('SELECT v FROM m', { accept: 'text/csv' }), NEVER);
    if (csv.kind !== 'opened') throw new Error(JSON.stringify(csv));
    expect(await text(csv.body)).to.match(/^name,tags,time,v\n/);
    const wrong = await owned.owner.read(readOf('SELECT v FRM m'), NEVER);
    if (wrong.kind !== 'opened') throw new Error(JSON.stringify(wrong));
    expect(wrong.status).to.equal(400);
    expect(await text(wrong.body)).to.match(/error parsing query/);
  });

  it('passes parameters, chunks and the policy on', async () => {
    await apply(['m v=1 1', 'm v=2 2', 'm v=3 3']);
    const query = readOf('SELECT v FROM m WHERE v > $low', {
      ...{ params: '{"low":1}', chunked: true, chunkSize: 1, policy: POLICY, epoch: 'ms' },
    });
    const opened = await owned.owner.read(query, NEVER);
    if (opened.kind !== 'opened') throw new Error(JSON.stringify(opened));
    const chunks = (await text(opened.body)).trim().split('\n');
    expect(chunks).to.have.length(2);
    expect(JSON.parse(chunks[0]!)).to.have.nested.property(
      'results[0].series[0].values[0][0]',
      2_000,
    );
  });

  it('says of points that influxd does not answer for that it may hold them', async () => {
    const impatient = createDataClient({ url: influxd.url, writeDeadlineMs: 200 });
    const { owner } = ownerOn(impatient);
    influxd.pause();
    try {
      const outcome = await owner.apply(batchOf('m v=1 1'), NEVER);
      expect(outcome).to.deep.include({ kind: 'failed', isHeld: true });
    } finally {
      influxd.resume();
      impatient.close();
    }
    expect(await apply('m v=2 1')).to.deep.equal({ kind: 'applied' });
  });

  it('fails in words where influxd is away, notes it, and goes on by a new connection when it is back', async () => {
    await apply('m v=1 1');
    await influxd.stop();
    const failed = await apply('m v=2 2');
    expect(failed).to.have.property('kind', 'failed');
    expect(owned.world.awayNoted).to.equal(1);
    expect(await owned.owner.read(readOf('SELECT v FROM m'), NEVER)).to.have.property(
      'kind',
      'failed',
    );
    await influxd.start();
    await eventually(async () => (await apply('m v=3 3')).kind === 'applied');
  });
});

describe('an owner whose account influxd refuses', function () {
  this.timeout(30_000);
  it('fails, which is passing, and says once in the log what to set', async () => {
    const influxd = await startInfluxd({ authEnabled: true });
    await influxd.query("CREATE USER root WITH PASSWORD 'p' WITH ALL PRIVILEGES");
    const account = { username: 'root', password: () => 'wrong' };
    const client = createDataClient({ url: influxd.url, ...account });
    const { owner, logger } = ownerOn(client, { account });
    try {
      for (let i = 0; i < 2; i += 1) {
        const outcome = await owner.apply(batchOf('m v=1 1'), NEVER);
        expect(outcome).to.have.property('kind', 'failed');
        expect(outcome)
          .to.have.property('why')
          .that.matches(/influxdb\.password-file/);
      }
      const read = await owner.read(readOf('SELECT v FROM m'), NEVER);
      expect(read).to.have.property('kind', 'failed');
      expect(logger.lines.filter(({ level }) => level === 'error')).to.have.length(1);
    } finally {
      client.close();
      await influxd.remove();
    }
  });
});
