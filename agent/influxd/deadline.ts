// A deadline and an abort signal around one call to the local influxd, and the two errors that they end in.
import { AppError } from '../../shared/errors/app-error.js';

export interface Call {
  /** What is being done, to what, as the start of a sentence: `asking influxd at http://... to run a statement`. */
  readonly what: string;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `work` with a signal that fires at the deadline or when the caller's signal does. Throws AppError
 * `influxd-unreachable` (retryable) at the deadline and `aborted` when the caller gave up; other errors pass.
 * Made by hand because AbortSignal.any on Node 20 keeps every derived signal alive as long as its longest source.
 */
export async function withDeadline<T>(
  call: Call,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal: outer } = call;
  const controller = new AbortController();
  const abort = () => {
    controller.abort();
  };
  const deadline = { passed: false };
  const timer = setTimeout(() => {
    deadline.passed = true;
    abort();
  }, call.deadlineMs);
  outer?.addEventListener('abort', abort, { once: true });
  try {
    if (outer?.aborted) throw new AppError('aborted', `${call.what}: stopped before it was sent`);
    return await work(controller.signal);
  } catch (error) {
    if (outer?.aborted) throw new AppError('aborted', `${call.what}: stopped`, { cause: error });
    if (deadline.passed) throw tooLate(call, error);
    throw error;
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', abort);
  }
}

function tooLate(call: Call, cause: unknown): AppError {
  return new AppError(
    'influxd-unreachable',
    `${call.what}: no whole answer within ${call.deadlineMs} ms; look whether influxd hangs or is overloaded`,
    { status: 503, retryable: true, cause },
  );
}

/** The error for an influxd that refused the connection, broke it, or answered something else. */
export function unreachable(what: string, why: string, cause?: unknown): AppError {
  return new AppError('influxd-unreachable', `${what}: ${why}`, {
    status: 503,
    retryable: true,
    cause,
  });
}
