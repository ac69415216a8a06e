import { expect } from 'chai';
import { pauseAfterLostSwapMs } from '../../../../agent/sync/lost-swap.js';

describe('the pause after a lost swap', () => {
  it('is anything below 10 ms, and doubles its limit with each loss in a row, up to a second', () => {
    const longest = (earlier: number) => pauseAfterLostSwapMs(earlier, () => 1);
    expect([0, 1, 2, 6, 7, 1_000].map(longest)).to.deep.equal([10, 20, 40, 640, 1_000, 1_000]);
    expect(pauseAfterLostSwapMs(3, () => 0)).to.equal(0);
  });
});
