// Time as an argument: the system's clock, and one for tests that only moves when it is told to.
import { AppError } from '../errors/app-error.js';
import { sleep } from './backoff.js';

export interface Clock {
  /** Milliseconds since 1970, for people and records. It may jump: never measure with it. */
  nowMs(): number;
  /** Milliseconds since some fixed point, never going back; for measuring. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with AppError `aborted` as soon as the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export function systemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep,
  };
}

/** A clock for tests. Sleepers wake when `advance` passes their time, in order of that time. */
export interface FakeClock extends Clock {
  /** Moves time forward and lets what was woken run before it goes on to the next sleeper. */
  advance(ms: number): Promise<void>;
  /** How many are asleep. */
  readonly sleepers: number;
}

export function fakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let passedMs = 0;
  const sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>();

  const earliest = (untilMs: number) =>
    [...sleepers].filter((each) => each.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];

  return {
    nowMs: () => startMs + passedMs,
    monotonicMs: () => passedMs,
    get sleepers() {
      return sleepers.size;
    },
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        const onAbort = (): void => {
          sleepers.delete(sleeper);
          reject(new AppError('aborted', 'waiting was ended by its abort signal'));
        };
        const sleeper = {
          atMs: passedMs + ms,
          wake: () => {
            signal?.removeEventListener('abort', onAbort);
            resolve();
          },
        };
        if (signal?.aborted === true) {
          onAbort();
          return;
        }
        signal?.addEventListener('abort', onAbort, { once: true });
        sleepers.add(sleeper);
      });
    },
    async advance(ms) {
      const untilMs = passedMs + ms;
      // What was started just before may not have come to its first sleep yet.
      await settle();
      for (let next = earliest(untilMs); next !== undefined; next = earliest(untilMs)) {
        passedMs = Math.max(passedMs, next.atMs);
        sleepers.delete(next);
        next.wake();
        await settle();
      }
      passedMs = untilMs;
      await settle();
    },
  };
}

/** Lets promise chains run to their next real wait: a turn of the event loop runs all pending microtasks. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
