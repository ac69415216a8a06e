// Events as server-sent events: text frames, a comment now and then so that nobody in between takes the line for dead, and an
// end for readers that take nothing.
import type { EventBody } from '../../shared/api/events.js';
import type { Logger } from '../../shared/log/logger.js';

/** Proxies cut idle connections after 30 s or more. */
const IDLE_MS = 15_000;

/** What a reader does not take for so long, it does not want. Less than this may be a slow line. */
const STALL_MS = 10_000;

/** Browsers connect again after this. */
const RETRY_MS = 1_000;

export interface EventFramesOptions {
  /** Begins to follow; an empty list comes after each `idleMs` without news. */
  readonly follow: (idleMs: number) => AsyncIterable<readonly EventBody[]>;
  /** Node ends a socket on which nothing moved for so long. */
  readonly requestTimeoutMs: number;
  /** Called once where the reader takes nothing. */
  readonly onStall: () => void;
  readonly logger: Logger;
}

/** Ends when following does, or fails: the reader connects again and goes on from the last id that it had. */
export async function* eventFrames(options: EventFramesOptions): AsyncGenerator<string, void> {
  const { follow, requestTimeoutMs, onStall, logger } = options;
  const idleMs = Math.min(IDLE_MS, requestTimeoutMs / 2);
  let stall: NodeJS.Timeout | undefined;
  try {
    // Sent at once, so that the reader knows that it is connected.
    yield `retry: ${RETRY_MS}\n\n`;
    for await (const events of follow(idleMs)) {
      const frames = events.length === 0 ? ':\n\n' : events.map(frameOf).join('');
      stall = setTimeout(onStall, Math.min(STALL_MS, requestTimeoutMs));
      // Goes on when the reader's buffer has room again.
      yield frames;
      clearTimeout(stall);
    }
  } catch (error) {
    logger.debug('a stream of events ended, its reader connects again', { err: error });
  } finally {
    clearTimeout(stall);
  }
}

/** JSON has no raw line ends, so one data line is enough. */
function frameOf(event: EventBody): string {
  return `id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`;
}
