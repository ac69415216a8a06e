// The process's own events as one abort signal: SIGTERM and SIGINT stop it in order, the second one at once, and what
// nobody caught is logged and ends the process. Used by the command line alone; nothing else touches the process.
import type { Logger } from '../log/logger.js';

/** The part of `process` that is used here; tests give their own. */
export interface ProcessHost {
  on(event: string, listener: (argument: unknown) => void): unknown;
  off(event: string, listener: (argument: unknown) => void): unknown;
  exit(code: number): void;
}

export interface ProcessSignals {
  /** Aborted at the first SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
  /** The one that came, undefined before. An interrupted command exits with 130. */
  readonly received: 'SIGTERM' | 'SIGINT' | undefined;
  /** Takes all listeners off again. */
  dispose(): void;
}

export function watchProcess(host: ProcessHost, logger: Logger): ProcessSignals {
  const abort = new AbortController();
  let received: 'SIGTERM' | 'SIGINT' | undefined;

  const onSignal = (name: 'SIGTERM' | 'SIGINT') => (): void => {
    if (received !== undefined) {
      logger.warn('second signal, exiting at once', { signal: name });
      host.exit(1);
      return;
    }
    received = name;
    logger.info('stopping', { signal: name });
    abort.abort();
  };
  // Going on after either of these would mean running in a state that nobody has thought about.
  const onUncaught =
    (op: string) =>
    (error: unknown): void => {
      const err = error instanceof Error ? error : new Error(String(error));
      logger.error('unexpected error, exiting', { op, err });
      host.exit(1);
    };

  const listeners: [string, (argument: unknown) => void][] = [
    ['SIGTERM', onSignal('SIGTERM')],
    ['SIGINT', onSignal('SIGINT')],
    ['uncaughtException', onUncaught('uncaughtException')],
    ['unhandledRejection', onUncaught('unhandledRejection')],
  ];
  for (const [event, listener] of listeners) host.on(event, listener);
  return {
    signal: abort.signal,
    get received() {
      return received;
    },
    dispose() {
      for (const [event, listener] of listeners) host.off(event, listener);
    },
  };
}
