// What every one-off command of the agent is given by the command line.
import type { Config } from '../../shared/config/config.js';
import type { Logger } from '../../shared/log/logger.js';

export interface OneOffOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Aborted at SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
}

/** What a command did, for people. */
export interface OneOffResult {
  /** One sentence, or a few. */
  readonly sentence: string;
}
