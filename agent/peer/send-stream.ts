// Sends a streamed answer: frames from a body that is read as fast as the asker takes them, and no faster. Whoever leaves
// first ends the other one.
import type { ServerResponse } from 'node:http';
import { messageOf } from '../../shared/errors/app-error.js';
import { FrameWriter } from './frames.js';
import type { PeerStream } from './peer-routes.js';

/** influxd sends its headers first, and a small answer right behind them: they shall go in one packet. */
const GATHER_MS = 1;

/** Resolves when the answer has ended, whole, broken off or left; never rejects. */
export function sendStream(
  response: ServerResponse,
  { head, body }: PeerStream,
  { key, contentType }: { readonly key: Buffer | undefined; readonly contentType: string },
): Promise<void> {
  const frames = new FrameWriter({ key, head });
  return new Promise((resolve) => {
    const leave = () => {
      body.destroy();
      frames.destroy();
      resolve();
    };
    body.on('error', (error) => {
      frames.breakOff(`the answer broke off: ${messageOf(error)}`);
    });
    // One that was destroyed without an error emits no end either.
    body.on('close', () => {
      if (!body.readableEnded) frames.breakOff('the answer broke off before its end');
    });
    if (response.destroyed) {
      leave();
      return;
    }
    response.on('close', leave);
    response.on('error', leave);
    response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' });
    response.cork();
    setTimeout(() => {
      // The end has sent it already.
      if (!response.writableEnded) response.uncork();
    }, GATHER_MS);
    frames.pipe(response);
    body.pipe(frames);
  });
}
