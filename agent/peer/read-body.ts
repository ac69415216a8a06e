// Reads the whole body of a message, and no more than was allowed.
import type { IncomingMessage } from 'node:http';

export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
}

/** Rejects with BodyTooLarge beyond `maxBytes`, with Node's own error where it breaks off, and at the signal. */
export function readBody(
  message: IncomingMessage,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (error: Error) => {
      message.pause();
      end();
      reject(error);
    };
    const onAbort = () => {
      fail(new Error('the body did not come in time'));
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) fail(new BodyTooLarge(`a body of more than ${maxBytes} bytes`));
      else chunks.push(chunk);
    };
    const onEnd = () => {
      end();
      resolve(Buffer.concat(chunks));
    };
    const onClose = () => {
      fail(new Error('the body broke off'));
    };
    const end = () => {
      signal.removeEventListener('abort', onAbort);
      message.off('data', onData).off('end', onEnd).off('error', fail).off('close', onClose);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    message.on('data', onData).on('end', onEnd).on('error', fail).on('close', onClose);
    if (signal.aborted) onAbort();
  });
}
