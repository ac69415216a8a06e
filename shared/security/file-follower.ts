// Reads secrets and certificates again when their files change. It looks at the bytes once a second instead of watching: a
// rename over the file, a write in place and a symbolic link that Kubernetes turns over are all the same to it.
import { readFile } from 'node:fs/promises';
import { isAbort, messageOf } from '../errors/app-error.js';
import type { Clock } from '../lifecycle/clock.js';
import { repeat } from '../lifecycle/repeat.js';
import type { Logger } from '../log/logger.js';

export interface FileFollowerOptions {
  /** What the files are, for the log: `tokens`, `certificates`. */
  readonly what: string;
  readonly paths: readonly string[];
  /**
   * Takes the files' new state: reads them as it read them at the start, and throws, having changed nothing, where they are
   * not good; then what was taken before stays.
   */
  readonly take: () => Promise<void>;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** How often the files are looked at: so soon a change counts. Some kilobytes in a second cost nothing. */
export const FOLLOW_EVERY_MS = 1_000;

/** Two looks this far apart must agree: a file that is just being written in place is not taken half. */
const SETTLE_MS = 100;

export class FileFollower {
  private seen: string | undefined;
  private trouble: string | undefined;

  constructor(private readonly options: FileFollowerOptions) {}

  /** Notes the files as they are now; called right before they are read at the start, so that no change is missed. */
  async note(): Promise<void> {
    this.seen = await this.look();
  }

  /** Runs until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    await repeat(() => this.step(signal), { intervalMs: FOLLOW_EVERY_MS, signal, clock });
  }

  private async step(signal: AbortSignal): Promise<void> {
    const { clock, what, logger, take } = this.options;
    const found = await this.look();
    if (found === this.seen) {
      this.trouble = undefined;
      return;
    }
    await clock.sleep(SETTLE_MS, signal);
    if ((await this.look()) !== found) return;
    try {
      await take();
      this.seen = found;
      this.trouble = undefined;
      logger.info('files that changed were read again', { component: what });
    } catch (error) {
      if (isAbort(error)) throw error;
      // Tried again at each look: a certificate that is not valid yet becomes so by time alone.
      this.complain(error);
    }
  }

  /** Once for each reason: the log shall not fill while a file stays wrong. */
  private complain(error: unknown): void {
    const { what, logger } = this.options;
    const reason = messageOf(error);
    if (reason === this.trouble) return;
    this.trouble = reason;
    logger.error('files that changed are not good, going on with what was read before', {
      component: what,
      reason,
    });
  }

  /** All bytes as one text that differs where they differ. A file that can't be read is a state like any other. */
  private async look(): Promise<string> {
    const parts = await Promise.all(
      this.options.paths.map((path) =>
        readFile(path, 'base64').catch((error: unknown) => `!${messageOf(error)}`),
      ),
    );
    return parts.join('\n');
  }
}
