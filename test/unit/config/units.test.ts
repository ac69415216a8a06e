// Durations and sizes as people write them.
import { expect } from 'chai';
import fc from 'fast-check';
import { formatDuration, parseDuration, parseSize } from '../../../shared/config/units.js';

describe('parseDuration', () => {
  const cases: [string, number][] = [
    ['15s', 15_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['1.5s', 1_500],
    ['7d', 604_800_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['0s', 0],
  ];
  for (const [text, ms] of cases) {
    it(`reads ${text} as ${ms} ms`, () => {
      expect(parseDuration(text)).to.equal(ms);
    });
  }

  for (const text of [
    '',
    '15',
    's',
    '-1s',
    '1s1h',
    '1 s',
    '1s1s',
    '1w',
    '1S',
    ' 1s',
    '1e3s',
    '1.s',
    'abc',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parseDuration(text)).to.equal(undefined);
    });
  }

  it('reads back every duration that formatDuration prints', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 12 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).to.equal(ms);
      }),
    );
  });
});

describe('parseSize', () => {
  const cases: [string, number][] = [
    ['512B', 512],
    ['1KiB', 1_024],
    ['64MiB', 67_108_864],
    ['10GiB', 10_737_418_240],
    ['1.5KiB', 1_536],
  ];
  for (const [text, bytes] of cases) {
    it(`reads ${text} as ${bytes} bytes`, () => {
      expect(parseSize(text)).to.equal(bytes);
    });
  }

  for (const text of ['', '64', '64MB', '64mib', '-1B', '1.5B', 'MiB', '1 KiB']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parseSize(text)).to.equal(undefined);
    });
  }
});
