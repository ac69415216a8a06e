// When a statement that influxd refused is tried again.
import { expect } from 'chai';
import { Attempts } from '../../../../agent/sync/attempts.js';
import { keyOf } from '../../../../shared/meta/model.js';

const KEY = keyOf({ kind: 'database', path: ['a'] });
const DAY_MS = 24 * 3_600_000;

describe('attempts', () => {
  it('waits after a refusal, and not before the same change is due again', () => {
    let nowMs = DAY_MS;
    const attempts = new Attempts(() => nowMs);
    attempts.refuse(KEY, 'CREATE', 'refused');
    expect(attempts.whyNotNow(KEY, 'CREATE')).to.equal('refused');
    expect(attempts.whyNotNow(KEY, 'another change')).to.equal(undefined);
    nowMs += 1_000;
    expect(attempts.whyNotNow(KEY, 'CREATE')).to.equal(undefined);
  });

  it('does not wait for a day because the clock was set back by one', () => {
    let nowMs = 2 * DAY_MS;
    const attempts = new Attempts(() => nowMs);
    attempts.refuse(KEY, 'CREATE', 'refused');
    nowMs -= DAY_MS;
    expect(attempts.whyNotNow(KEY, 'CREATE')).to.equal(undefined);
  });
});
