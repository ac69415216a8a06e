import { expect } from 'chai';
import fc from 'fast-check';
import {
  FIRST_TEXT_NS,
  formatTime,
  LAST_TEXT_NS,
  parseTime,
} from '../../../../shared/influx/time.js';

describe('times as text', () => {
  it('are RFC 3339 in UTC with no more fraction digits than needed', () => {
    expect(formatTime(0n)).to.equal('1970-01-01T00:00:00Z');
    expect(formatTime(1n)).to.equal('1970-01-01T00:00:00.000000001Z');
    expect(formatTime(-1n)).to.equal('1969-12-31T23:59:59.999999999Z');
    expect(formatTime(1_500_000_000n)).to.equal('1970-01-01T00:00:01.5Z');
    expect(formatTime(2n ** 63n - 1n)).to.equal('2262-04-11T23:47:16.854775807Z');
    expect(formatTime(-(2n ** 63n))).to.equal('1677-09-21T00:12:43.145224192Z');
    expect(formatTime(FIRST_TEXT_NS)).to.equal('0001-01-01T00:00:00Z');
    expect(formatTime(LAST_TEXT_NS)).to.equal('9999-12-31T23:59:59.999999999Z');
  });

  it('come back as the same nanosecond', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: FIRST_TEXT_NS, max: LAST_TEXT_NS }), (ns) => {
        expect(parseTime(formatTime(ns))).to.equal(ns);
      }),
    );
  });

  it('may bear an offset when read', () => {
    expect(parseTime('2026-03-01T01:00:00+01:00')).to.equal(parseTime('2026-03-01T00:00:00Z'));
    expect(parseTime('2026-02-28T19:30:00.25-04:30')).to.equal(
      parseTime('2026-03-01T00:00:00.25Z'),
    );
  });

  it('are refused where they are no time', () => {
    for (const text of [
      '',
      '2026-03-01',
      '2026-03-01T00:00:00',
      '2026-03-01 00:00:00Z',
      '2026-02-30T00:00:00Z',
      '2026-13-01T00:00:00Z',
      '2026-00-01T00:00:00Z',
      '2026-03-01T24:00:00Z',
      '2026-03-01T00:60:00Z',
      '2026-03-01T00:00:60Z',
      '2026-03-01T00:00:00.Z',
      '2026-03-01T00:00:00.1234567890Z',
      '2026-03-01T00:00:00+24:00',
      '0000-01-01T00:00:00Z',
      '0001-01-01T00:00:00+00:01',
      '2026-03-01T00:00:00Z ',
      'x2026-03-01T00:00:00Z',
    ]) {
      expect(parseTime(text), text).to.equal(undefined);
    }
    expect(() => formatTime(FIRST_TEXT_NS - 1n)).to.throw(RangeError);
    expect(() => formatTime(LAST_TEXT_NS + 1n)).to.throw(RangeError);
  });
});
