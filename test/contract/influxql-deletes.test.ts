// Deletes beside a real influxd: the matcher takes away exactly the points that influxd deletes, also by the text in which
// now() and parameters are resolved.
import { expect } from 'chai';
import { deleteMatcher } from '../../shared/influx/influxql/delete-matcher.js';
import { resolveNow } from '../../shared/influx/influxql/resolve-now.js';
import { startInfluxd, type TestInfluxd } from '../support/influxd.js';

const HOUR_NS = 3_600_000_000_000n;
/** A fixed moment would be further from influxd's own now() each day: tests of now() keep hours away from it. */
const NOW_NS = BigInt(Date.now()) * 1_000_000n;

interface Stored {
  readonly measurement: string;
  readonly host: string;
  readonly region: string;
  readonly timeNs: bigint;
}

const POINTS: readonly Stored[] = ['cpu', 'mem', 'disk io'].flatMap((measurement) =>
  ['a', 'b', ''].flatMap((host) =>
    ['x', ''].flatMap((region) =>
      [-5n, 0n, 10n, 1_577_836_800_000_000_000n, NOW_NS - 3n * HOUR_NS, NOW_NS + 3n * HOUR_NS].map(
        (timeNs) => ({ measurement, host, region, timeNs }),
      ),
    ),
  ),
);

const DELETES: readonly string[] = [
  'DELETE FROM cpu',
  'DELETE FROM "disk io", mem',
  'DELETE FROM /^.e/',
  'DELETE FROM /c/ WHERE time > 0',
  'DELETE FROM nothing',
  "DELETE WHERE host = 'a'",
  "DELETE WHERE host <> 'a'",
  "DELETE WHERE host = ''",
  "DELETE WHERE host != ''",
  'DELETE WHERE host =~ /a|b/',
  'DELETE WHERE host !~ /a/',
  'DELETE WHERE host =~ /.*/',
  'DELETE WHERE host !~ /^$/',
  "DELETE WHERE 'b' = host",
  "DELETE WHERE nope = 'a'",
  "DELETE WHERE nope != 'a'",
  "DELETE WHERE host::tag = 'a'",
  "DELETE WHERE host::field = 'a'",
  "DELETE WHERE host > 'a'",
  'DELETE WHERE host = region',
  'DELETE WHERE host != region',
  'DELETE WHERE host = 1',
  "DELETE WHERE _name = 'cpu'",
  "DELETE WHERE (host = 'a' OR host = 'b') AND region = 'x'",
  "DELETE WHERE host = 'a' OR host = 'b' AND region = 'x'",
  "DELETE WHERE time < 10 OR host = 'a'",
  'DELETE WHERE time < 0 OR time > 100',
  'DELETE WHERE time >= 0 AND time <= 10',
  'DELETE WHERE 10 >= time',
  'DELETE WHERE time = 10',
  'DELETE WHERE time != 10',
  'DELETE WHERE time > 5.5',
  'DELETE WHERE time > 1577836799s AND time < 1577836801s',
  "DELETE WHERE time < '2020-01-01'",
  "DELETE WHERE time <= '2020-01-01 00:00:00'",
  "DELETE WHERE time >= '2020-01-01T00:00:00.000000001Z'",
  "DELETE WHERE time >= '2020-01-01T01:00:00+01:00'",
  "DELETE WHERE time >= '2020-01-01 00:00'",
  "DELETE WHERE time >= '2020-01-01' + 1s - 1s",
  "DELETE WHERE time < 'never'",
  'DELETE WHERE time < now()',
  'DELETE FROM mem WHERE time < now() - 1h AND time > now() - 4h',
  "DELETE WHERE time > (now() + 1h) AND host = 'b'",
  "DELETE WHERE 'a' = 'a'",
  "DELETE WHERE 'a' = 'b'",
  'DELETE WHERE true',
  'DELETE WHERE false',
  'DELETE WHERE host',
  'DROP SERIES FROM cpu',
  "DROP SERIES FROM cpu, mem WHERE host = 'a'",
  "DROP SERIES WHERE region =~ /x/ AND host != 'b'",
  'DROP SERIES FROM cpu WHERE time > 0',
  'DROP MEASUREMENT "disk io"',
  'DROP MEASUREMENT nothing',
];

describe('influxql: deletes beside a real influxd', () => {
  let influxd: TestInfluxd;
  before(async () => {
    influxd = await startInfluxd();
  });
  after(() => influxd.remove());

  it('matches the points that influxd deletes, by the statement as it is and as it is resolved', async function () {
    this.timeout(60_000);
    await Promise.all(DELETES.map((text, at) => compare(text, at)));
  });

  async function compare(text: string, at: number): Promise<void> {
    const resolved = resolveNow(text, NOW_NS)!;
    const matcher = deleteMatcher(resolved);
    const expected = POINTS.filter((point) => !matcher.matches(pointOf(point)));
    for (const statement of [text, resolved]) {
      const left = await leftBy(statement, `d${at}${statement === text ? 'a' : 'b'}`);
      expect(left, statement).to.deep.equal(expected.map(lineOf).sort());
    }
  }

  /** What is left of all points in a database of their own, after a delete that influxd may refuse. */
  async function leftBy(statement: string, database: string): Promise<string[]> {
    await influxd.query(`CREATE DATABASE "${database}"`);
    await influxd.write(database, POINTS.map(writtenOf));
    await influxd.query(statement, { db: database }).catch(() => undefined);
    const params = { epoch: 'ns' };
    const [result] = await influxd.query('SELECT text FROM /.*/', { db: database, params });
    const rows = (result?.series ?? []).flatMap((series) => series.values ?? []);
    return rows.map((row) => String(row[1])).sort();
  }
});

function pointOf(stored: Stored) {
  const { measurement, timeNs, host, region } = stored;
  const tags: Readonly<Record<string, string>> = { host, region };
  return { measurement, timeNs, tag: (key: string) => tags[key] ?? '' };
}

/** Says which point it is, as a text. */
function lineOf(point: Stored): string {
  return `${point.measurement}/${point.host}/${point.region}/${point.timeNs}`;
}

function writtenOf(point: Stored): string {
  return `${nameOf(point)} text="${lineOf(point)}" ${point.timeNs}`;
}

function nameOf(point: Stored): string {
  const host = point.host && `,host=${point.host}`;
  const region = point.region && `,region=${point.region}`;
  return `${point.measurement.replace(' ', '\\ ')}${host}${region}`;
}
