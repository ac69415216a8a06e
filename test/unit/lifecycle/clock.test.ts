// The fake clock, and repeating by it.
import { expect } from 'chai';
import { isAppError } from '../../../shared/errors/app-error.js';
import { fakeClock, systemClock } from '../../../shared/lifecycle/clock.js';
import { repeat } from '../../../shared/lifecycle/repeat.js';

describe('fakeClock', () => {
  it('wakes sleepers in the order of their time, and only when told to', async () => {
    const clock = fakeClock();
    const woken: string[] = [];
    void clock.sleep(200).then(() => woken.push(`b at ${clock.monotonicMs()}`));
    void clock.sleep(100).then(() => woken.push(`a at ${clock.monotonicMs()}`));
    await clock.advance(99);
    expect(woken).to.deep.equal([]);
    await clock.advance(1_000);
    expect(woken).to.deep.equal(['a at 100', 'b at 200']);
    expect(clock.monotonicMs()).to.equal(1_099);
  });

  it('lets what a sleeper starts sleep on the same way', async () => {
    const clock = fakeClock();
    const times: number[] = [];
    void (async () => {
      for (let i = 0; i < 3; i += 1) {
        await clock.sleep(10);
        times.push(clock.monotonicMs());
      }
    })();
    await clock.advance(25);
    expect(times).to.deep.equal([10, 20]);
  });

  it('ends a sleep by its signal', async () => {
    const clock = fakeClock();
    const abort = new AbortController();
    const asleep = clock.sleep(10, abort.signal).catch((error: unknown) => error);
    expect(clock.sleepers).to.equal(1);
    abort.abort();
    expect(isAppError(await asleep, 'aborted')).to.equal(true);
    expect(clock.sleepers).to.equal(0);
  });
});

describe('systemClock', () => {
  it('never measures backwards', async () => {
    const clock = systemClock();
    const before = clock.monotonicMs();
    await clock.sleep(5);
    expect(clock.monotonicMs()).to.be.above(before);
    expect(Math.abs(clock.nowMs() - Date.now())).to.be.below(1_000);
  });
});

describe('repeat', () => {
  it('works at once and then after every interval, with jitter, until it is aborted', async () => {
    const clock = fakeClock();
    const abort = new AbortController();
    const times: number[] = [];
    const done = repeat(
      async () => {
        times.push(clock.monotonicMs());
      },
      {
        intervalMs: 1_000,
        signal: abort.signal,
        clock,
        random: () => 1,
      },
    );
    await clock.advance(2_500);
    expect(times).to.deep.equal([0, 1_100, 2_200]);
    abort.abort();
    await done;
  });

  it('never works twice at once: the pause begins when the work has ended', async () => {
    const clock = fakeClock();
    const abort = new AbortController();
    const starts: number[] = [];
    const done = repeat(
      async (signal) => {
        starts.push(clock.monotonicMs());
        await clock.sleep(5_000, signal);
      },
      { intervalMs: 100, signal: abort.signal, clock, jitter: 0 },
    );
    await clock.advance(11_000);
    expect(starts).to.deep.equal([0, 5_100, 10_200]);
    abort.abort();
    await done;
  });

  it('ends with the failure of its work', async () => {
    const options = { intervalMs: 1, signal: new AbortController().signal, clock: fakeClock() };
    const failure = new Error('broken');
    const result = await repeat(() => Promise.reject(failure), options).catch(
      (error: unknown) => error,
    );
    expect(result).to.equal(failure);
  });
});
