import { expect } from 'chai';
import { UnsureOrder } from '../../../../../agent/gateway/handoff/unsure-order.js';
import { fakeClock, type FakeClock } from '../../../../../shared/lifecycle/clock.js';
import { silentLogger } from '../../../../../shared/log/logger.js';
import { eventually } from '../../../../support/eventually.js';

const A = { group: 1, shard: 10 };
const B = { group: 2, shard: 20 };

describe('the order of points at an owner', () => {
  let told: number[][];
  let failures: number;
  let clock: FakeClock;
  let order: UnsureOrder;

  beforeEach(() => {
    [told, failures, clock] = [[], 0, fakeClock()];
    const tell = async (groups: readonly number[]) => {
      if (failures > 0) {
        failures -= 1;
        throw new Error('no manager');
      }
      told.push([...groups]);
    };
    order = new UnsureOrder({ tell, retryMs: 1_000, clock, logger: silentLogger() });
  });
  afterEach(() => order.stop());

  it('is unsure where newer points of the shard came before or after a request was given up', async () => {
    order.noteHint(0, A);
    order.noteHeld(0, A);
    order.noteHint(1, B);
    expect(told).to.deep.equal([]);
    order.noteHint(2, A);
    expect(told).to.deep.equal([[1]]);
    order.noteHint(3, B);
    order.noteHeld(1, B);
    await eventually(() => told.length === 2, { what: 'the other group is told of' });
    expect(told[1]).to.deep.equal([2]);
  });

  it('is sure where nothing newer came, and for what comes once all is delivered', () => {
    order.noteHint(0, A);
    order.noteHint(1, A);
    order.noteHeld(1, A);
    order.noteDrained();
    order.noteHint(2, A);
    expect(told).to.deep.equal([]);
  });

  it('is told again until it is heard', async () => {
    failures = 2;
    order.noteHint(0, A);
    order.noteHint(1, A);
    order.noteHeld(0, A);
    await clock.advance(1_000);
    expect(told).to.deep.equal([]);
    await clock.advance(1_000);
    expect(told).to.deep.equal([[1]]);
  });
});
