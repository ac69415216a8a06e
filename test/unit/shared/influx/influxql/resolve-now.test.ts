// Deletes that mean the same everywhere and always.
import { expect } from 'chai';
import { resolveNow } from '../../../../../shared/influx/influxql/resolve-now.js';

const NOW = 1_700_000_000_123_456_789n;
const T = '2023-11-14T';

const RESOLVED: readonly (readonly [string, string | undefined])[] = [
  ['DELETE FROM m WHERE time < now()', `DELETE FROM "m" WHERE "time" < '${T}22:13:20.123456789Z'`],
  [
    "delete from m, /a\\/b/ where now() - 1h30m > time and (host='it\\'s' or x !~ /c/)",
    `DELETE FROM "m", /a\\/b/ WHERE '${T}20:43:20.123456789Z' > "time" AND ("host" = 'it\\'s' OR "x" !~ /c/)`,
  ],
  [
    "DELETE WHERE time > '2020-01-01' - 1d AND a::tag = 'b'",
    `DELETE WHERE "time" > '2019-12-31T00:00:00.000000000Z' AND "a"::tag = 'b'`,
  ],
  ['DROP SERIES FROM "a\\"b" WHERE x = \'\'', `DROP SERIES FROM "a\\"b" WHERE "x" = ''`],
  ['DROP MEASUREMENT "x y" -- bye', 'DROP MEASUREMENT "x y"'],
  [
    'DELETE WHERE a = 1 * (2 - -3) / 4.0 / -b',
    'DELETE WHERE "a" = 1 * (2 - -3) / 4.0 / (-1 * "b")',
  ],
  ['DELETE FROM m; DELETE FROM n', undefined],
  ['SELECT a FROM m WHERE time < now()', undefined],
  ['DELETE', undefined],
];

describe('influxql: resolving now() in deletes', () => {
  for (const [text, resolved] of RESOLVED) {
    it(`writes ${text} ${resolved === undefined ? 'not at all' : 'with absolute times'}`, () => {
      expect(resolveNow(text, NOW)).to.equal(resolved);
    });
  }

  it('changes nothing more the second time', () => {
    for (const [text, resolved] of RESOLVED) {
      if (resolved === undefined || text.includes('-b')) continue;
      expect(resolveNow(resolved, 0n), text).to.equal(resolved);
    }
  });

  it('puts parameters in, but none with a carriage return', () => {
    const params = { m: { identifier: 'a"b\n' }, v: "c'd\\", r: { regex: 'e/\n' }, bad: 'f\r' };
    expect(resolveNow('DELETE FROM $m WHERE x = $v AND y =~ $r', NOW, params)).to.equal(
      `DELETE FROM "a\\"b\\n" WHERE "x" = 'c\\'d\\\\' AND "y" =~ /e\\/\\n/`,
    );
    expect(resolveNow('DELETE WHERE x = $bad', NOW, params)).to.equal(undefined);
  });
});
