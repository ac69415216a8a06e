// Waiting between attempts: exponential backoff with full jitter, and a sleep that an abort signal ends.
import { AppError } from '../errors/app-error.js';

/** First delay: long enough to let a restarting process listen again, short enough to be unnoticed. */
export const BACKOFF_INITIAL_MS = 100;
/** Longest delay: everything that comes back is found within two seconds. */
export const BACKOFF_MAX_MS = 2_000;

export interface BackoffOptions {
  readonly initialMs?: number;
  readonly maxMs?: number;
  /** In [0, 1); Math.random by default. Tests give their own. */
  readonly random?: () => number;
}

/** One series of attempts. Full jitter: a delay is drawn from [0, ceiling), and the ceiling doubles up to `maxMs`. */
export interface Backoff {
  /** How many delays were drawn since the last reset. */
  readonly attempts: number;
  nextDelayMs(): number;
  /** After a success: the next series starts small again. */
  reset(): void;
}

export function createBackoff(options: BackoffOptions = {}): Backoff {
  const { initialMs = BACKOFF_INITIAL_MS, maxMs = BACKOFF_MAX_MS, random = Math.random } = options;
  let attempts = 0;
  return {
    get attempts() {
      return attempts;
    },
    nextDelayMs() {
      const ceilingMs = Math.min(maxMs, initialMs * 2 ** attempts);
      attempts += 1;
      return Math.floor(random() * ceilingMs);
    },
    reset() {
      attempts = 0;
    },
  };
}

/** Resolves after `ms`; rejects with AppError `aborted` as soon as the signal is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortedError());
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(abortedError());
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function abortedError(): AppError {
  return new AppError(
    'aborted',
    'waiting was ended because the program stops or the caller gave up',
  );
}
