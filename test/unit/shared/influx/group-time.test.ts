import { expect } from 'chai';
import fc from 'fast-check';
import {
  groupBounds,
  groupStart,
  MAX_TIME_NS,
  MIN_TIME_NS,
} from '../../../../shared/influx/group-time.js';
import { formatTime, parseTime } from '../../../../shared/influx/time.js';

const HOUR_NS = 3_600_000_000_000n;
const WEEK_NS = 7n * 24n * HOUR_NS;

/** The bounds as text of the group of a time. */
function bounds(time: string, shardDurationNs: bigint): string[] {
  const { startNs, endNs } = groupBounds(parseTime(time)!, shardDurationNs);
  return [formatTime(startNs), formatTime(endNs)];
}

describe('the bounds of shard groups', () => {
  it('are those of influxd: weeks begin on Mondays, hours on the hour', () => {
    expect(bounds('2026-11-22T14:30:00Z', WEEK_NS)).to.deep.equal([
      '2026-11-16T00:00:00Z',
      '2026-11-23T00:00:00Z',
    ]);
    expect(bounds('1970-01-01T00:00:00Z', WEEK_NS)).to.deep.equal([
      '1969-12-29T00:00:00Z',
      '1970-01-05T00:00:00Z',
    ]);
    expect(bounds('1969-12-31T23:59:59.999999999Z', HOUR_NS)).to.deep.equal([
      '1969-12-31T23:00:00Z',
      '1970-01-01T00:00:00Z',
    ]);
  });

  it('end with time itself, and may begin before it', () => {
    expect(groupBounds(MAX_TIME_NS, WEEK_NS).endNs).to.equal(2n ** 63n - 1n);
    expect(bounds(formatTime(MIN_TIME_NS), WEEK_NS)[0]).to.equal('1677-09-20T00:00:00Z');
    expect(groupStart(MIN_TIME_NS, WEEK_NS) < -(2n ** 63n)).to.equal(true);
  });

  it('hold the time, and are the same for every time in them', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: MIN_TIME_NS, max: MAX_TIME_NS }),
        fc.bigInt({ min: HOUR_NS, max: 520n * WEEK_NS }),
        (timeNs, durationNs) => {
          const { startNs, endNs } = groupBounds(timeNs, durationNs);
          expect(startNs <= timeNs && timeNs < endNs).to.equal(true);
          expect(groupStart(startNs, durationNs)).to.equal(startNs);
          expect(groupBounds(endNs - 1n, durationNs)).to.deep.equal({ startNs, endNs });
        },
      ),
    );
  });

  it('are the time alone where the duration is none', () => {
    expect(groupStart(5n, 0n)).to.equal(5n);
  });
});
