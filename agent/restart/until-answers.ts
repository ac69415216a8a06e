// Waits until the local influxd answers.
import { AppError } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { LOOK_MS } from './influxd-switch.js';

export interface AnsweringDeps {
  /** Undefined: nothing answers. */
  readonly ping: (signal?: AbortSignal) => Promise<unknown>;
  readonly clock: Clock;
}

/** Throws AppError `influxd-unreachable` at the deadline, and `aborted`. */
export async function untilAnswers(
  { ping, clock }: AnsweringDeps,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<void> {
  const endMs = clock.monotonicMs() + deadlineMs;
  while ((await ping(signal)) === undefined) {
    if (clock.monotonicMs() >= endMs) {
      throw new AppError(
        'influxd-unreachable',
        `influxd does not answer ${deadlineMs / 1000} s after it was to be started`,
        { retryable: true },
      );
    }
    await clock.sleep(LOOK_MS, signal);
  }
}
