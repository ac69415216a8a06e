// One reader: a connection that always has a waiting read under way, as an agent's long poll. Written on bare sockets,
// so that ten thousand of them cost the measuring processes little. It knows only the answers that a bench gets.
import type { Socket } from 'node:net';

/** What stands between the head and the body of an answer. */
const HEAD_END = Buffer.from('\r\n\r\n');

export interface LongPollOptions {
  readonly host: string;
  /** Percent-encoded path without the version: `/clusters/bench/versions`. */
  readonly path: string;
  /** The version seen last; the first read waits for another one. */
  readonly version: number;
  readonly etag: string;
  /** A whole answer came, and the next read is under way. */
  readonly onVersion: (version: number) => void;
  readonly onFailure: (reason: string) => void;
}

export class LongPollSocket {
  private head = '';
  private missing = 0;
  private version: number;
  private etag: string;

  constructor(
    private readonly socket: Socket,
    private readonly options: LongPollOptions,
  ) {
    this.version = options.version;
    this.etag = options.etag;
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('error', (error) => options.onFailure(error.message));
    socket.on('end', () => options.onFailure('the manager closed the connection'));
    this.ask();
  }

  private ask(): void {
    const { host, path } = this.options;
    this.socket.write(
      `GET ${path}/${this.version}?wait=300s HTTP/1.1\r\nhost: ${host}\r\n` +
        `accept: application/x-protobuf\r\nx-clusterflux-known: ${this.etag}\r\n\r\n`,
    );
  }

  private take(chunk: Buffer): void {
    let rest = chunk;
    if (this.missing === 0) {
      const end = chunk.indexOf(HEAD_END);
      // A head comes in one piece: it is the first thing that is written, and shorter than a packet.
      if (end < 0) return this.options.onFailure('an answer without a whole head');
      this.head = chunk.toString('latin1', 0, end);
      this.missing = Number(this.header('content-length'));
      rest = chunk.subarray(end + HEAD_END.length);
    }
    this.missing -= rest.length;
    if (this.missing === 0) this.finish();
  }

  private finish(): void {
    if (!this.head.startsWith('HTTP/1.1 200 ')) {
      return this.options.onFailure(this.head.split('\r\n')[0] ?? '');
    }
    this.version = Number(this.header('x-clusterflux-version'));
    this.etag = this.header('etag');
    this.ask();
    this.options.onVersion(this.version);
  }

  private header(name: string): string {
    return new RegExp(`^${name}: (.*)$`, 'im').exec(this.head)?.[1]?.trim() ?? '';
  }
}
