// Backoff and sleep.
import { expect } from 'chai';
import fc from 'fast-check';
import { isAppError } from '../../../shared/errors/app-error.js';
import { createBackoff, sleep } from '../../../shared/lifecycle/backoff.js';

describe('createBackoff', () => {
  it('draws from zero to a ceiling that doubles from 100 ms to 2 s', () => {
    const backoff = createBackoff({ random: () => 0.999999 });
    const delays = Array.from({ length: 7 }, () => backoff.nextDelayMs());
    expect(delays).to.deep.equal([99, 199, 399, 799, 1599, 1999, 1999]);
  });

  it('begins small again after a reset', () => {
    const backoff = createBackoff({ random: () => 0.5 });
    for (let i = 0; i < 5; i += 1) backoff.nextDelayMs();
    expect(backoff.attempts).to.equal(5);
    backoff.reset();
    expect(backoff.attempts).to.equal(0);
    expect(backoff.nextDelayMs()).to.equal(50);
  });

  it('never leaves its limits, however long it goes on', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.nat(2_000),
        (r, n) => {
          const backoff = createBackoff({ random: () => r });
          for (let i = 0; i < n; i += 1) expect(backoff.nextDelayMs()).to.be.within(0, 2_000);
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('sleep', () => {
  it('ends with `aborted` as soon as the signal says so', async () => {
    const abort = new AbortController();
    const started = performance.now();
    const asleep = sleep(60_000, abort.signal).catch((error: unknown) => error);
    abort.abort();
    expect(isAppError(await asleep, 'aborted')).to.equal(true);
    expect(performance.now() - started).to.be.below(1_000);
  });

  it('does not begin where the signal is aborted already', async () => {
    const error = await sleep(60_000, AbortSignal.abort()).catch((reason: unknown) => reason);
    expect(isAppError(error, 'aborted')).to.equal(true);
  });

  it('resolves after its time, with or without a signal', async () => {
    const started = performance.now();
    await Promise.all([sleep(20), sleep(20, new AbortController().signal)]);
    expect(performance.now() - started).to.be.at.least(19);
  });
});
