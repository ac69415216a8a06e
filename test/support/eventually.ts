// Waits for a condition instead of sleeping: the only way in which a test may wait for something.
// It refuses to wait for ever: after the deadline the last failure is the error.
import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  /** Deadline in milliseconds, 5000 where absent. */
  readonly withinMs?: number;
  /** Pause between two tries in milliseconds, 10 where absent. */
  readonly everyMs?: number;
  /** What is waited for, for the failure's message. */
  readonly what?: string;
}

const DEFAULT_WITHIN_MS = 5_000;
const DEFAULT_EVERY_MS = 10;

/**
 * Calls `attempt` until it neither throws nor returns false (other values, undefined too, count as success), and resolves
 * to what it returned. Rejects after the deadline with the last error as the cause.
 */
export async function eventually<T>(
  attempt: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<T> {
  const withinMs = options.withinMs ?? DEFAULT_WITHIN_MS;
  const deadline = performance.now() + withinMs;
  for (;;) {
    let failure: unknown;
    try {
      const result = await attempt();
      if (result !== false) return result;
      failure = new Error('the condition is still false');
    } catch (error) {
      // Kept, and thrown below once the deadline is over.
      failure = error;
    }
    if (performance.now() >= deadline) {
      const reason = failure instanceof Error ? failure.message : String(failure);
      const what = options.what ?? 'the condition';
      throw new Error(`waited ${withinMs} ms in vain for ${what}: ${reason}`, { cause: failure });
    }
    await delay(options.everyMs ?? DEFAULT_EVERY_MS);
  }
}
