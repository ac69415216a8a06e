// What the readers of test/support/fault/points take for a missed point, and what their times count.
import { expect } from 'chai';
import type { PointBatch } from '../../../support/fault/points/batches.js';
import { missesIn } from '../../../support/fault/points/point-reader.js';
import { ReadRecord } from '../../../support/fault/points/read-record.js';

const BATCH: PointBatch = {
  ...{ number: 7, writer: 1, policy: 'long', startS: 0, stepS: 1 },
  ...{ size: 4, firstValue: 1, extra: undefined },
};

const counted = (number: number, count: number) => ({
  tags: { b: String(number) },
  columns: ['time', 'count'],
  values: [[0, count]],
});

describe('the readers of points', () => {
  it('miss nothing in an answer that has all that was acknowledged, and more', () => {
    expect(missesIn([BATCH], [counted(7, 4), counted(8, 3)])).to.deep.equal([]);
    expect(missesIn([], [])).to.deep.equal([]);
  });

  it('miss a batch that is not there, and one that is there in part', () => {
    expect(missesIn([BATCH], [counted(8, 4)])).to.deep.equal(['0 of 4 points of long.m1,b=7,w=1']);
    expect(missesIn([BATCH], [counted(7, 3)])).to.have.length(1);
  });

  it('time the rows of refusals and the times without an answer', () => {
    let nowMs = 0;
    const record = new ReadRecord('node-1', () => nowMs);
    const at = (ms: number, act: () => void) => {
      nowMs = ms;
      act();
    };
    const serve = () => {
      record.noteServed(3, [], { sentMs: nowMs });
    };
    const fail = () => {
      record.noteFailed('503');
    };
    at(100, serve);
    at(150, fail);
    at(350, fail);
    at(400, serve);
    at(1_000, serve);
    at(1_100, fail);
    at(1_200, () => {
      record.end();
    });
    expect(record.figures).to.deep.equal({
      ...{ served: 3, failed: 3, longestRefusedMs: 250, longestUnservedMs: 600 },
    });
    expect([...record.servedBy]).to.deep.equal([[3, 3]]);
  });

  it('remember a whole answer that lacked something', () => {
    const record = new ReadRecord('node-1', () => 5);
    record.noteServed(3, ['0 of 4 points of x', '1 of 4 points of y'], { sentMs: 1 });
    expect(record.misses).to.deep.equal([
      'node 3, asked by node-1 4 ms before, gave 0 of 4 points of x (and 1 more)',
    ]);
  });
});
