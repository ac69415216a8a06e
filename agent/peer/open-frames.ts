// Takes up a streamed answer: resolves when its first frame is here, and watches over the rest. A peer of which nothing is
// heard, not even that it is still at work, is taken for dead.
import type { IncomingMessage } from 'node:http';
import { AppError } from '../../shared/errors/app-error.js';
import { ALIVE_EVERY_MS, FrameReader } from './frames.js';
import type { PeerStreamed } from './peer-client.js';

export interface OpenFramesOptions {
  readonly key: Buffer | undefined;
  /** Until the first frame. */
  readonly signal: AbortSignal;
  /** Of the whole answer. */
  readonly life: AbortSignal;
  /** Ends the connection. */
  readonly end: () => void;
  readonly silenceMs?: number;
}

/** Five of the signs of life that a peer gives without being asked. */
const SILENCE_MS = 5 * ALIVE_EVERY_MS;

/** Rejects with the reason where the first frame is none, or does not come. */
export function openFrames(
  response: IncomingMessage,
  { key, signal, life, end, silenceMs = SILENCE_MS }: OpenFramesOptions,
): Promise<PeerStreamed> {
  return new Promise((resolve, reject) => {
    const reader = new FrameReader(key, (head) => {
      signal.removeEventListener('abort', onAbort);
      resolve({ head, body: reader });
    });
    const onAbort = () => {
      reader.destroy(new AppError('aborted', 'reading from a peer was stopped'));
    };
    const lookWhetherItLives = () => {
      // One that waits for its own client hears nothing either: that is no silence of the peer.
      if (reader.readableLength >= reader.readableHighWaterMark) timer.refresh();
      else reader.destroy(new Error(`nothing was heard of the peer for ${silenceMs} ms`));
    };
    const timer = setTimeout(lookWhetherItLives, silenceMs);
    timer.unref();
    response.on('data', () => {
      timer.refresh();
    });
    response.on('error', (error: Error) => {
      reader.destroy(new Error('the answer broke off', { cause: error }));
    });
    response.on('aborted', () => {
      reader.destroy(new Error('the answer broke off'));
    });
    reader.on('error', reject);
    reader.on('close', () => {
      clearTimeout(timer);
      life.removeEventListener('abort', onAbort);
      signal.removeEventListener('abort', onAbort);
      // One that came whole leaves its connection to the next call.
      if (!response.complete) end();
      reject(new Error('the answer broke off'));
    });
    signal.addEventListener('abort', onAbort, { once: true });
    life.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted || life.aborted) onAbort();
    response.pipe(reader);
  });
}
