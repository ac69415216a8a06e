// How the local influxd is stopped and started: what the restart procedure needs of a command or of a signal.

/** Both ways of restarting. */
export interface InfluxdSwitch {
  readonly how: RestartWay;
  /** Throws what the hooks throw, AppError `influxd-running` where it could not be stopped, and `aborted`. */
  stop(hooks: StopHooks, signal: AbortSignal): Promise<void>;
  /**
   * Brings it back, or waits for whoever does; resolves when it answers. Throws AppError `influxd-unreachable` where it does
   * not within its time (to be tried again), and `aborted`: then it goes on by itself, also where the signal was aborted before.
   */
  start(signal: AbortSignal): Promise<void>;
}

export interface StopHooks {
  /** The last thing before influxd is told to stop; what it throws leaves influxd alone. */
  readonly beforeStop: () => Promise<void>;
  /**
   * Called once, in the moment in which influxd is known to have ended. `again`: it was started anew before anybody could act,
   * in words.
   */
  readonly whenEnded: (again?: string) => void;
}

export type RestartWay = 'command' | 'signal';

/**
 * influxd 1.6 gives up waiting for its own parts after 30 s and exits; a little more, and it hangs. It is not killed: what it
 * has in memory is in its log on disk, but a start then takes long, and a person should look.
 */
export const STOP_DEADLINE_MS = 35_000;
/** A server with thousands of shards takes its time to open them, and answers afterwards. */
export const START_DEADLINE_MS = 60_000;
/** For a command of the configuration, which may wait until influxd has ended or answers. */
export const COMMAND_DEADLINE_MS = 60_000;
/** Between two looks at something that takes seconds. */
export const LOOK_MS = 50;
