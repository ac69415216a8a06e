// Does something every so often until it is aborted. Never twice at once: the pause begins when the work has ended.
import { isAbort } from '../errors/app-error.js';
import type { Clock } from './clock.js';

export interface RepeatOptions {
  readonly intervalMs: number;
  /** Ends the pause at once; the work gets the same signal. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Each pause differs from the interval by up to this share, so that many programs do not act in step; 0.1 by default. */
  readonly jitter?: number;
  readonly random?: () => number;
}

/**
 * Calls `work` at once and then after every interval; resolves when the signal is aborted.
 * @throws what `work` throws, except the echo of the abort. Work that may fail and go on catches its own errors.
 */
export async function repeat(
  work: (signal: AbortSignal) => Promise<void>,
  options: RepeatOptions,
): Promise<void> {
  const { intervalMs, signal, clock, jitter = 0.1, random = Math.random } = options;
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    try {
      await work(signal);
      await clock.sleep(intervalMs * (1 + jitter * (2 * random() - 1)), signal);
    } catch (error) {
      if (isOver() && isAbort(error)) return;
      throw error;
    }
  }
}
