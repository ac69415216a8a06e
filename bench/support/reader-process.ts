// A process full of waiting readers, started by readers.ts. Opens its connections when told, and tells its parent
// when the last of them has received a version, by the clock that all processes of a machine share.
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { LongPollSocket } from './long-poll-socket.js';

export interface OpenMessage {
  readonly url: string;
  readonly path: string;
  readonly version: number;
  readonly etag: string;
  readonly count: number;
  /** PEM of the manager's certificate, where it speaks TLS. */
  readonly ca?: string;
}

export type ReaderMessage =
  | { readonly kind: 'open' }
  /** All readers of this process have it; `atNs` as `process.hrtime.bigint()`, in decimal. */
  | { readonly kind: 'received'; readonly version: number; readonly atNs: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** Below the usual backlog of a listening socket, which all processes share. */
const CONNECTING_AT_ONCE = 50;

process.once('message', (message: OpenMessage) => {
  open(message).catch((error: unknown) => tell({ kind: 'failed', reason: String(error) }));
});
process.once('disconnect', () => process.exit(0));

async function open(message: OpenMessage): Promise<void> {
  const received = new Map<number, number>();
  const onVersion = (version: number): void => {
    const count = (received.get(version) ?? 0) + 1;
    received.set(version, count);
    if (count < message.count) return;
    tell({ kind: 'received', version, atNs: process.hrtime.bigint().toString() });
  };
  let left = message.count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await openOne(message, onVersion);
  };
  await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, worker));
  tell({ kind: 'open' });
}

function openOne(message: OpenMessage, onVersion: (version: number) => void): Promise<void> {
  const { hostname: host, port } = new URL(message.url);
  const { path, version, etag, ca } = message;
  const onFailure = (reason: string): void => tell({ kind: 'failed', reason });
  return new Promise((resolve) => {
    const begin = (): void => {
      new LongPollSocket(socket, { host, path, version, etag, onVersion, onFailure });
      resolve();
    };
    const socket =
      ca === undefined
        ? connect({ host, port: Number(port), noDelay: true }, begin)
        : connectTls({ host, port: Number(port), ca }, begin);
    socket.once('error', (error: Error) => onFailure(error.message));
  });
}

function tell(message: ReaderMessage): void {
  process.send?.(message);
}
