// Our scanner beside a real influxd: the same lines are taken, the others are refused with the same words, and what we pass on
// makes the same series and fields.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:http';
import { expect } from 'chai';
import fc from 'fast-check';
import { pointView } from '../../shared/influx/point-view.js';
import type { Precision } from '../../shared/influx/precision.js';
import { LineScanner } from '../../shared/influx/scan/line-scanner.js';
import type { ScannedLines } from '../../shared/influx/scan/scanned-lines.js';
import { selectLines } from '../../shared/influx/scan/select-lines.js';
import type { TestInfluxd } from '../support/influxd.js';
import { startInfluxd } from '../support/influxd.js';
import { oddBody } from '../support/odd-lines.js';

const SEED = 20_261_122;
const BODIES = 700;
/** Some seven seconds on a quiet machine. */
const DEADLINE_MS = 60_000;

/** What we refuse though influxd takes it, or fails without a word. */
const OWN_WORDS = /makes the line run into|have to be UTF-8|InfluxDB 1\.x/;
/** Judged when points are stored: the words hide those about lines that don't parse. */
const STORED_WORDS = /field type conflict|invalid tag key|invalid field name/;

interface Answer {
  readonly status: number;
  readonly error: string;
}

describe('line protocol as a real influxd takes it', () => {
  const agent = new Agent({ keepAlive: true });
  let influxd: TestInfluxd;
  before(async () => {
    influxd = await startInfluxd();
    for (const name of ['whole', 'taken']) await influxd.query(`CREATE DATABASE "${name}"`);
  });
  after(async () => {
    agent.destroy();
    await influxd.remove();
  });

  async function write(db: string, body: Buffer, precision: Precision): Promise<Answer> {
    const url = `${influxd.url}/write?db=${db}&precision=${precision}`;
    // influxd puts the line into a header as it is, bytes that no header may have included.
    const call = request(url, {
      method: 'POST',
      insecureHTTPParser: true,
      agent,
      signal: AbortSignal.timeout(5_000),
    });
    call.end(body);
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    const text = Buffer.concat((await answer.toArray()) as Buffer[]).toString('utf8');
    const isJson = text.startsWith('{');
    return {
      status: answer.statusCode ?? 0,
      error: isJson ? (JSON.parse(text) as { error: string }).error : text,
    };
  }

  function scan(body: Buffer, precision: Precision): ScannedLines {
    // Not another shard than influxd itself chooses: types of fields are a shard's.
    const defaultTimeNs = BigInt(Date.now()) * 1_000_000n;
    return new LineScanner({ precision, defaultTimeNs }).scan(body);
  }

  /** The answer that influxd gives to what we scanned, but for what it finds when it stores the points. */
  function expected(lines: ScannedLines): Answer {
    if (lines.failed === 0) return { status: 204, error: '' };
    const errors = lines.errors.map(({ text }) => text).join('\n');
    return {
      status: 400,
      error: lines.points === 0 ? errors : `partial write: ${errors} dropped=0`,
    };
  }

  it('accepts and refuses the same lines, with the same words', async function () {
    this.timeout(DEADLINE_MS);
    const bodies = fc.sample(
      fc.tuple(oddBody, fc.constantFrom<Precision>('n', 'n', 'u', 'ms', 's', 'm', 'h')),
      { numRuns: BODIES, seed: SEED },
    );
    const measurements = new Set<string>();
    const compared = { same: 0, own: 0, stored: 0, refused: 0 };
    for (const [body, precision] of bodies) {
      const lines = scan(body, precision);
      const what = JSON.stringify([precision, body.toString('latin1')]);
      if (lines.errors.some(({ text }) => OWN_WORDS.test(text))) {
        compared.own += 1;
        continue;
      }
      const answer = await write('whole', body, precision);
      const again = await write('taken', selectLines(lines), precision);
      expect(again.error, what).to.not.match(/unable to parse/);
      expect(
        [answer.status, again.status],
        `${what}: ${answer.error} | ${again.error}`,
      ).to.not.include(500);
      if (STORED_WORDS.test(answer.error)) {
        compared.stored += 1;
        continue;
      }
      expect(answer, what).to.deep.equal(expected(lines));
      for (let line = 0; line < lines.points; line += 1) {
        measurements.add(pointView(lines, line).measurement);
      }
      compared.same += 1;
      if (lines.failed > 0) compared.refused += 1;
    }
    expect(compared.same, JSON.stringify(compared)).to.be.greaterThan(BODIES * 0.7);
    expect(compared.refused, JSON.stringify(compared)).to.be.greaterThan(BODIES * 0.3);
    expect(await influxd.names('SHOW MEASUREMENTS', { db: 'taken' })).to.include.members([
      ...measurements,
    ]);
    for (const statement of ['SHOW SERIES', 'SHOW FIELD KEYS', 'SHOW TAG VALUES WITH KEY =~ /./']) {
      const [whole] = await influxd.query(statement, { db: 'whole' });
      const [taken] = await influxd.query(statement, { db: 'taken' });
      expect(whole?.series?.length, statement).to.be.greaterThan(0);
      expect(taken, statement).to.deep.equal(whole);
    }
  });
});
