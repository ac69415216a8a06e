import { expect } from 'chai';
import {
  selectorArguments,
  withoutEmptyWindows,
} from '../../../../../agent/gateway/query/into-select.js';

describe('withoutEmptyWindows', () => {
  const WINDOWS = 'SELECT count(v) FROM /a(b\\/c/, cpu WHERE v / 2 > 1 GROUP BY time(1m)';

  const CASES: readonly (readonly [string, string])[] = [
    ['', ' fill(none) '],
    [' fill(null)', ' fill(none)'],
    [' FILL( NULL ) LIMIT 1', ' FILL(none) LIMIT 1'],
    [' fill(0)', ' fill(0)'],
    [', /h(/ ORDER BY time', ', /h(/  fill(none) ORDER BY time'],
    [" tz('UTC')", "  fill(none) tz('UTC')"],
    [', "fill"', ', "fill" fill(none) '],
    [' -- fill(null)', ' fill(none)  -- fill(null)'],
  ];
  for (const [before, after] of CASES) {
    it(`makes ${JSON.stringify(after)} of ${JSON.stringify(before)}`, () => {
      expect(withoutEmptyWindows(WINDOWS + before)).to.equal(WINDOWS + after);
    });
  }

  it('leaves the windows of subqueries alone', () => {
    const inner =
      'SELECT sum(c) FROM (SELECT count(v) AS c FROM x GROUP BY time(1s) fill(null)) GROUP BY time(1m)';
    expect(withoutEmptyWindows(inner)).to.equal(`${inner} fill(none) `);
  });
});

describe('selectorArguments', () => {
  it('names what stands between the field and the number', () => {
    expect(selectorArguments('SELECT top(v, a, "b c", 2), BOTTOM(w,d,1) FROM x')).to.deep.equal([
      'a',
      'b c',
      'd',
    ]);
  });

  it('finds none in other calls, in names and in texts', () => {
    expect(
      selectorArguments(`SELECT top(v, 2), mean(a) FROM "top(v, a, 2)" WHERE x = 'top(v, a, 2)'`),
    ).to.deep.equal([]);
  });
});
