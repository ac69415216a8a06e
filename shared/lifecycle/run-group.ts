// Runs the parts of a process together and stops them in phases. It knows no signals and never exits: that is the
// command line's (process-signals.ts), so that tests can run whole programs in their own process.
import { isAbort } from '../errors/app-error.js';
import type { Logger } from '../log/logger.js';
import { sleep } from './backoff.js';

/**
 * The order of stopping. drain: readiness off, wait for load balancers; ingress: no new requests, waiting readers are
 * answered; workers: loops end; ports: connections to etcd, watchers, sockets; flush: the last words to disk and log.
 */
export const PHASES = ['drain', 'ingress', 'workers', 'ports', 'flush'] as const;
export type Phase = (typeof PHASES)[number];

export interface Runnable {
  readonly name: string;
  /** When it is stopped. Runnables of one phase stop at the same time. */
  readonly phase: Phase;
  /**
   * Starts it. May resolve once it is started (a server) or when its work has ended (a loop); a rejection stops the
   * whole group. The signal is aborted when the runnable's phase of stopping has come.
   */
  start?(signal: AbortSignal): Promise<void>;
  /** Called once in its phase, after the signal was aborted, also where start has not resolved or was never called. */
  stop?(): Promise<void>;
}

export interface RunGroupOptions {
  readonly logger: Logger;
  /** Aborted when the group shall stop, as by SIGTERM. */
  readonly signal: AbortSignal;
  /** Limits per phase in ms that differ from DEFAULT_LIMITS_MS; the manager's drain-delay is one. */
  readonly limitsMs?: Partial<Record<Phase, number>>;
}

/**
 * How long a phase may take before the next begins anyway. All are safety nets: a healthy part stops in milliseconds,
 * and the whole is gone within a second.
 */
export const DEFAULT_LIMITS_MS: Readonly<Record<Phase, number>> = {
  drain: 5_000,
  ingress: 2_000,
  workers: 2_000,
  ports: 2_000,
  flush: 2_000,
};

/**
 * Starts all runnables in the order given, runs until the signal is aborted or one of them fails, and then stops all.
 * @returns the exit code: 0, or 1 where something could not be stopped within its limit.
 * @throws the first failure of a start, once everything is stopped.
 */
export async function runGroup(
  runnables: readonly Runnable[],
  options: RunGroupOptions,
): Promise<number> {
  const { logger, signal } = options;
  const failures: unknown[] = [];
  const members = runnables.map((runnable) => ({
    runnable,
    abort: new AbortController(),
    ended: Promise.resolve(),
  }));

  await new Promise<void>((stopNow) => {
    if (signal.aborted) {
      stopNow();
      return;
    }
    signal.addEventListener(
      'abort',
      () => {
        stopNow();
      },
      { once: true },
    );
    for (const member of members) {
      member.ended = run(member, (error) => {
        logger.error('component failed, stopping', { component: member.runnable.name, err: error });
        failures.push(error);
        stopNow();
      });
    }
  });

  let isClean = true;
  for (const phase of PHASES) {
    const limitMs = options.limitsMs?.[phase] ?? DEFAULT_LIMITS_MS[phase];
    const inPhase = members.filter((member) => member.runnable.phase === phase);
    const stops = inPhase.map((member) => stop(member, limitMs, logger));
    if ((await Promise.all(stops)).includes(false)) isClean = false;
  }
  if (failures.length > 0) throw failures[0];
  return isClean ? 0 : 1;
}

interface Member {
  readonly runnable: Runnable;
  readonly abort: AbortController;
  ended: Promise<void>;
}

/** Runs a member to its end; never rejects. A failure after its own abort is the echo of the abort. */
async function run(member: Member, onFailure: (error: unknown) => void): Promise<void> {
  try {
    await member.runnable.start?.(member.abort.signal);
  } catch (error) {
    if (member.abort.signal.aborted && isAbort(error)) return;
    onFailure(error);
  }
}

/** True where the member stopped within the limit and without an error. */
async function stop(member: Member, limitMs: number, logger: Logger): Promise<boolean> {
  const component = member.runnable.name;
  member.abort.abort();
  const stopping = async (): Promise<void> => member.runnable.stop?.();
  const stopped = Promise.all([member.ended, stopping()]).then(
    () => true,
    (error: unknown) => {
      logger.error('component failed while stopping', { component, err: error });
      return false;
    },
  );
  const timer = new AbortController();
  const limit = sleep(limitMs, timer.signal).then(
    () => {
      logger.error('component did not stop in time, going on without it', { component, limitMs });
      return false;
    },
    // The member was quicker, which is the normal case.
    () => true,
  );
  const result = await Promise.race([stopped, limit]);
  timer.abort();
  return result;
}
