// The times that a statement may read.
import { expect } from 'chai';
import { parseQuery } from '../../../../../shared/influx/influxql/parse.js';

const NOW = 1_700_000_000_000_000_000n;
const DAY = 86_400_000_000_000n;
const HOUR = 3_600_000_000_000n;
const Y2020 = 1_577_836_800_000_000_000n;

/** WHERE, first and last nanosecond. */
const BOUNDS: readonly (readonly [string, bigint | undefined, bigint | undefined])[] = [
  ['time > 10', 11n, undefined],
  ['time >= 10 AND time < 20', 10n, 19n],
  ['10 <= time AND 20 > time', 10n, 19n],
  ['TIME = 1s', 1_000_000_000n, 1_000_000_000n],
  ["time >= '2020-01-01'", Y2020, undefined],
  ["time >= '2020-01-01 01:00:00'", Y2020 + HOUR, undefined],
  ["time <= '2020-01-01T00:00:00.000000001+01:00'", undefined, Y2020 - HOUR + 1n],
  ["time >= '2020-01-01' + 1h - 30m", Y2020 + HOUR / 2n, undefined],
  ['time > 1.9', 2n, undefined],
  ['time > -5', -4n, undefined],
  ['(time > 1) AND ((time < 5))', 2n, 4n],
  ["host = 'a' AND time > 1", 2n, undefined],
  ['time > 10 OR time > 20', 11n, undefined],
  ["time > 10 OR host = 'a'", undefined, undefined],
  ['(time > 1 AND time < 5) OR (time > 10 AND time < 15)', 2n, 14n],
  ['time > 1 AND time > 5 AND time > 3', 6n, undefined],
  ['time != 5', undefined, undefined],
  ["time > 'never'", undefined, undefined],
  ["time > '2020-02-30'", undefined, undefined],
  ["time > '2020-01-01' + now()", undefined, undefined],
  ['time > 1h * 2', undefined, undefined],
  ['time > host', undefined, undefined],
  ['value > 5', undefined, undefined],
  // A day to spare: the owner has its own clock.
  ['time > now() - 1h', NOW - HOUR - DAY + 1n, undefined],
  ['time < now() + 1h', undefined, NOW + HOUR + DAY - 1n],
];

describe('influxql: time bounds', () => {
  for (const [where, fromNs, toNs] of BOUNDS) {
    it(`are never narrower than WHERE ${where}`, () => {
      expect(boundsOf(`SELECT a FROM m WHERE ${where}`)).to.deep.equal({ fromNs, toNs });
      expect(boundsOf(`SHOW TAG KEYS WHERE ${where}`)).to.deep.equal({ fromNs, toNs });
    });
  }

  it('stay open by now() where nobody says what now is', () => {
    const parsed = parseQuery('SELECT a FROM m WHERE time > now() AND time < 5');
    expect(parsed).to.have.deep.nested.property('statements[0].bounds', {
      fromNs: undefined,
      toNs: 4n,
    });
  });

  it('leave room for the zone that tz() says', () => {
    const text = `SELECT a FROM m WHERE time >= '2020-01-01' AND time < '2020-01-02T00:00:00Z' tz('Asia/Tokyo')`;
    expect(boundsOf(text)).to.deep.equal({ fromNs: Y2020 - DAY, toNs: Y2020 + DAY - 1n });
  });

  it('leave room for the windows that functions over windows read besides', () => {
    const text = 'SELECT moving_average(mean(a), 5) FROM m WHERE time >= 100h GROUP BY time(1h)';
    expect(boundsOf(text)).to.deep.equal({ fromNs: 94n * HOUR, toNs: undefined });
  });

  it('are those of the outermost SELECT alone', () => {
    const text = 'SELECT a FROM (SELECT b FROM m WHERE time > 50) WHERE time > 10';
    expect(boundsOf(text)).to.deep.equal({ fromNs: 11n, toNs: undefined });
  });
});

function boundsOf(text: string): unknown {
  const parsed = parseQuery(text, {}, NOW);
  if (parsed.kind !== 'parsed') throw new Error(parsed.why);
  const [statement] = parsed.statements;
  return statement && 'bounds' in statement ? statement.bounds : undefined;
}
