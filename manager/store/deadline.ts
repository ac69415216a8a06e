// Bounds a wait by a deadline and by the caller's abort signal, for work that can't be cancelled itself.
import { AppError } from '../../shared/errors/app-error.js';

export interface Bounds {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Makes the error of a deadline that passed; an abort gives `onAbort()`, or AppError `aborted` where there is none. */
  readonly onTimeout: () => AppError;
  readonly onAbort?: () => AppError;
}

/** Settles as `work` does, unless the deadline or the signal comes first. `work` itself goes on; its late failure is ignored. */
export function bounded<T>(work: Promise<T>, bounds: Bounds): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      finish();
      reject(bounds.onTimeout());
    }, bounds.timeoutMs);
    const onAbort = (): void => {
      finish();
      reject(bounds.onAbort?.() ?? aborted());
    };
    const finish = (): void => {
      clearTimeout(timer);
      bounds.signal?.removeEventListener('abort', onAbort);
    };
    // Both handlers are set even when the wait was given up before, so that a late failure is never unhandled.
    work.then(
      (value) => {
        finish();
        resolve(value);
      },
      (error: unknown) => {
        finish();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
    if (bounds.signal?.aborted === true) onAbort();
    else bounds.signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Throws AppError `aborted` where the signal was aborted already: nothing was sent. */
export function assertNotAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw aborted();
}

/** The error of a call that its caller gave up. */
function aborted(): AppError {
  return new AppError('aborted', 'a call to the store was ended by its abort signal');
}
