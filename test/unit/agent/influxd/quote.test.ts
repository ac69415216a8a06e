import { expect } from 'chai';
import fc from 'fast-check';
import { unquote } from '../../../../agent/influxd/continuous-query.js';
import { formatDuration, quoteIdentifier, quoteString } from '../../../../agent/influxd/quote.js';

describe('quoting for InfluxQL', () => {
  it('escapes quotes, backslashes and newlines, and nothing else', () => {
    expect(quoteIdentifier('a"b\\c\nd\'e\tü')).to.equal('"a\\"b\\\\c\\nd\'e\tü"');
    expect(quoteString('a"b\\c\nd\'e')).to.equal("'a\"b\\\\c\\nd\\'e'");
  });

  it('gives back every name that it quotes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        fc.pre(!/[\0\r]/.test(name));
        expect(unquote(quoteIdentifier(name))).to.equal(name);
      }),
    );
  });

  for (const [what, name] of [
    ['a NUL byte', 'a\0b'],
    ['a carriage return', 'a\rb'],
    ['half a surrogate pair', 'a\ud800b'],
  ] as const) {
    it(`refuses ${what}, which the scanner would cut or change`, () => {
      for (const quote of [quoteIdentifier, quoteString]) {
        expect(() => quote(name))
          .to.throw()
          .with.property('code', 'name-invalid');
      }
    });
  }

  it('prints durations in the largest unit that is exact', () => {
    const second = 1_000_000_000n;
    const cases: [bigint, string][] = [
      [0n, 'INF'],
      [1n, '1ns'],
      [1_000n, '1u'],
      [3_600n * second, '1h'],
      [90n * 60n * second, '90m'],
      [30n * 86_400n * second, '30d'],
      [14n * 86_400n * second, '2w'],
      [3_600n * second + 1n, '3600000000001ns'],
      [9_223_372_036_854_775_807n, '9223372036854775807ns'],
    ];
    for (const [nanoseconds, text] of cases) expect(formatDuration(nanoseconds)).to.equal(text);
  });
});
