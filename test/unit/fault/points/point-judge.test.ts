// The judge of test/support/fault/points is told true and false histories: it must let the true one pass and find each false one.
import { expect } from 'chai';
import { pointsOf, seriesKey, type PointBatch } from '../../../support/fault/points/batches.js';
import type { BatchFate } from '../../../support/fault/points/ledger.js';
import { fieldsText, judgePoints } from '../../../support/fault/points/point-judge.js';

const BATCH: PointBatch = {
  ...{ number: 7, writer: 1, policy: 'long', startS: 3_600, stepS: 5 },
  ...{ size: 4, firstValue: 100, extra: 1 },
};
const OTHER: PointBatch = { ...BATCH, number: 8, firstValue: 200, extra: undefined };
const OWNERS = 3;

type Stored = Map<string, Map<number, string>>;

/** Three owners that have all of both batches, changed by `change`, which is given what each has. */
function judged(
  change: (owners: readonly Stored[]) => void = () => undefined,
  fate: BatchFate = 'acknowledged',
): readonly string[] {
  const owners = Array.from(
    { length: OWNERS },
    (): Stored => new Map([BATCH, OTHER].map((batch) => [seriesKey(batch), stored(batch)])),
  );
  change(owners);
  return judgePoints(
    [
      { batch: BATCH, fate },
      { batch: OTHER, fate: 'acknowledged' },
    ],
    owners.map((points, index) => ({ name: `node-${index + 1}`, points })),
  );
}

function stored(batch: PointBatch): Map<number, string> {
  return new Map(pointsOf(batch).map(({ timeS, fields }) => [timeS, fieldsText(fields)]));
}

const seriesOf = (owner: Stored | undefined) => owner?.get(seriesKey(BATCH));

describe('the judge of points', () => {
  it('has nothing to say where every owner has every acknowledged point', () => {
    expect(judged()).to.deep.equal([]);
  });

  it('finds a point that no owner has any more', () => {
    const complaints = judged((owners) =>
      owners.forEach((owner) => seriesOf(owner)?.delete(3_605)),
    );
    expect(complaints).to.have.length(OWNERS);
    expect(complaints[0]).to.equal(
      'node-1 lacks 1 of 4 points of long.m1,b=7,w=1, which was acknowledged',
    );
  });

  it('finds one owner that lacks a point, and one that lacks a whole batch', () => {
    expect(judged(([first]) => seriesOf(first)?.delete(3_600))).to.have.length(1);
    const whole = judged(([, second]) => second?.delete(seriesKey(BATCH)));
    expect(whole).to.deep.equal([
      'node-2 lacks 4 of 4 points of long.m1,b=7,w=1, which was acknowledged',
    ]);
  });

  it('finds another value, and a field that was lost', () => {
    const other = judged(([first]) => seriesOf(first)?.set(3_600, 'f1="text 100",v=101'));
    expect(other).to.deep.equal([
      'node-1 has long.m1,b=7,w=1 at 3600 with f1="text 100",v=101 instead of f1="text 100",v=100',
    ]);
    expect(judged(([first]) => seriesOf(first)?.set(3_600, 'v=100'))).to.have.length(1);
  });

  it('finds a point and a series that nobody sent', () => {
    const time = judged(([first]) => seriesOf(first)?.set(3_601, 'f1="text 100",v=100'));
    expect(time).to.deep.equal(['node-1 has long.m1,b=7,w=1 at 3601, which nobody sent']);
    const elsewhere = { ...BATCH, policy: 'other' };
    const series = judged(([, , third]) => third?.set(seriesKey(elsewhere), stored(elsewhere)));
    expect(series).to.deep.equal(['node-3 has other.m1,b=7,w=1, which nobody sent']);
  });

  it('finds points that the gateway had declined without writing any', () => {
    const complaints = judged(([first, second]) => {
      first?.delete(seriesKey(BATCH));
      second?.delete(seriesKey(BATCH));
    }, 'nowhere');
    expect(complaints).to.include(
      'node-3 has 4 points of long.m1,b=7,w=1, which the gateway had declined',
    );
  });

  it('wants a batch whose level was not reached on all owners or on none', () => {
    const drop = (owners: readonly Stored[]) => {
      for (const owner of owners) owner.delete(seriesKey(BATCH));
    };
    expect(judged(undefined, 'short')).to.deep.equal([]);
    expect(judged(drop, 'short')).to.deep.equal([]);
    expect(judged(([first]) => seriesOf(first)?.delete(3_600), 'short')).to.deep.equal([
      'node-1 lacks 1 of 4 points of long.m1,b=7,w=1, which others have',
    ]);
  });

  it('wants nothing of a batch of which nobody knows, but that its points are right', () => {
    expect(judged(([first]) => first?.delete(seriesKey(BATCH)), 'unknown')).to.deep.equal([]);
    expect(judged(([first]) => seriesOf(first)?.set(3_600, 'v=1'), 'unknown')).to.have.length(1);
  });
});
