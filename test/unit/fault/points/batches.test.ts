// The batches of test/support/fault/points: what is drawn must be what is looked for, and only in hours that may be used.
import { expect } from 'chai';
import { LineScanner } from '../../../../shared/influx/scan/line-scanner.js';
import {
  BatchMaker,
  linesOf,
  MAX_POINTS,
  pointsOf,
  PRECISIONS,
  seriesKey,
  type PointBatch,
} from '../../../support/fault/points/batches.js';
import { Ledger } from '../../../support/fault/points/ledger.js';
import { seededRandom } from '../../../support/fault/random.js';

const HOUR_S = 3_600;
const START_S = 100 * HOUR_S;
const POLICIES = ['long', 'other'];

/** So many, each acknowledged, where not told otherwise. */
function draw(maker: BatchMaker, count: number, isAcknowledged = true): PointBatch[] {
  const random = seededRandom(1);
  return Array.from({ length: count }, (_, index) => {
    const batch = maker.next(index % 4, random);
    if (isAcknowledged) maker.noteAcknowledged(batch);
    return batch;
  });
}

function hoursOf(batch: PointBatch): string[] {
  const hours = pointsOf(batch).map(({ timeS }) => Math.floor((timeS - START_S) / HOUR_S));
  return [...new Set(hours)].map((hour) => `${batch.policy} ${hour}`);
}

describe('the batches of the load', () => {
  it('are of all sizes, in several hours, some across the end of one, with a time for each point', () => {
    const batches = draw(new BatchMaker(POLICIES, START_S), 400);
    expect(new Set(batches.flatMap(hoursOf)).size).to.equal(12);
    expect(batches.some((batch) => hoursOf(batch).length > 1)).to.equal(true);
    for (const batch of batches) {
      expect(batch.size).to.be.within(1, MAX_POINTS);
      expect(new Set(pointsOf(batch).map(({ timeS }) => timeS)).size).to.equal(batch.size);
    }
    expect(new Set(batches.map(seriesKey)).size).to.equal(400);
    const values = batches.flatMap((batch) => pointsOf(batch).map(({ fields }) => fields['v']));
    expect(new Set(values).size).to.equal(values.length);
  });

  it('are only in hours where points were acknowledged while they are held there', () => {
    const maker = new BatchMaker(POLICIES, START_S);
    const made = new Set(draw(maker, 20).flatMap(hoursOf));
    maker.isHeld = true;
    const held = draw(maker, 400).flatMap(hoursOf);
    expect(held.filter((hour) => !made.has(hour))).to.deep.equal([]);
  });

  it('say the same times in each precision, and parse', () => {
    for (const batch of draw(new BatchMaker(POLICIES, START_S), 40)) {
      for (const precision of PRECISIONS) {
        const scanner = new LineScanner({ precision, defaultTimeNs: 0n });
        const scanned = scanner.scan(Buffer.from(linesOf(batch, precision)));
        expect(scanned.errors).to.deep.equal([]);
        expect(scanned.points).to.equal(batch.size);
        expect(scanned.timeNs(0)).to.equal(BigInt(batch.startS) * 1_000_000_000n);
      }
    }
  });
});

describe('the ledger of batches', () => {
  const [batch] = draw(new BatchMaker(POLICIES, START_S), 1);

  it('takes for acknowledged what was so once, whatever came before', () => {
    const ledger = new Ledger();
    ledger.noteSending(batch!);
    expect(ledger.get(batch!.number)?.fate).to.equal('unknown');
    ledger.note(batch!, ['unknown', 'short', 'acknowledged']);
    expect(ledger.get(batch!.number)?.fate).to.equal('acknowledged');
    expect(ledger.acknowledgedOf(batch!.writer, batch!.policy)).to.deep.equal([batch]);
  });

  it('knows nothing of a batch with one attempt of which nothing is known', () => {
    const ledger = new Ledger();
    ledger.note(batch!, ['nowhere', 'unknown', 'short']);
    expect(ledger.get(batch!.number)?.fate).to.equal('unknown');
    expect(ledger.acknowledgedOf(batch!.writer, batch!.policy)).to.deep.equal([]);
  });
});
