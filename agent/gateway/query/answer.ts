// The answer on its way to the client: headers are held until the first byte of the body, nothing is written faster than the
// client takes it, and a client that is gone ends the work.
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { constants, createGzip } from 'node:zlib';
import { AppError } from '../../../shared/errors/app-error.js';
import { ERROR_HEADER, headerText } from '../errors.js';

export interface AnswerHead {
  readonly status: number;
  readonly contentType: string;
  /** influxd's X-Influxdb-Error, where the answer is influxd's own refusal. */
  readonly error?: string | undefined;
}

/** Of gzip: half of the CPU time of the default, for a tenth more of bytes. */
const GZIP_LEVEL = 3;

/** A client that takes nothing for so long keeps an owner busy for nothing. */
const STALLED_MS = 60_000;

/** What was gathered before anything streamed, at most: then the headers go. */
const MAX_HELD_BYTES = 16 * 1024;

export class Answer {
  private readonly held: Buffer[] = [];
  private heldBytes = 0;
  private sink: Writable | undefined;
  private head: AnswerHead = { status: 200, contentType: 'application/json' };
  /** `performance.now()` of the first byte of the body. */
  firstByteMs: number | undefined;

  /** `takesGzip`: by the client's Accept-Encoding. */
  constructor(
    private readonly response: ServerResponse,
    private readonly takesGzip: boolean,
    private readonly signal: AbortSignal,
  ) {}

  /** The headers are on their way: nothing else can be answered any more. */
  get isCommitted(): boolean {
    return this.sink !== undefined;
  }

  setHead(head: AnswerHead): void {
    this.head = head;
  }

  setHeader(name: string, value: string): void {
    if (!this.isCommitted) this.response.setHeader(name, value);
  }

  /** Adds what is small and made here: the headers wait, because later statements may add to them. */
  async add(bytes: Buffer): Promise<void> {
    if (this.isCommitted) return this.write(bytes);
    this.held.push(bytes);
    this.heldBytes += bytes.length;
    if (this.heldBytes > MAX_HELD_BYTES) await this.flush();
  }

  /** Sends headers and bytes. Rejects with AppError `aborted` where the client is gone. */
  async write(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    await this.flush();
    await this.put(bytes);
  }

  async end(): Promise<void> {
    await this.flush();
    this.sink?.end();
  }

  private async flush(): Promise<void> {
    if (this.sink === undefined) this.commit();
    for (const bytes of this.held.splice(0)) await this.put(bytes);
  }

  private commit(): void {
    const { response, head } = this;
    this.firstByteMs = performance.now();
    response.setHeader('Content-Type', head.contentType);
    if (head.error !== undefined) response.setHeader(ERROR_HEADER, headerText(head.error));
    // As influxd: other answers are sent as they are.
    const isZipped = this.takesGzip && head.status === 200;
    if (isZipped) response.setHeader('Content-Encoding', 'gzip');
    response.writeHead(head.status);
    this.gather();
    this.sink = isZipped ? this.zipped() : response;
  }

  /** Head, body and end of a small answer are there in one turn: they go to the client in one packet. */
  private gather(): void {
    const { response } = this;
    response.cork();
    setImmediate(() => {
      // The end has sent it already.
      if (!response.writableEnded) response.uncork();
    });
  }

  private zipped(): Writable {
    const gzip = createGzip({ level: GZIP_LEVEL, finishFlush: constants.Z_FINISH });
    gzip.pipe(this.response);
    this.response.once('close', () => {
      gzip.destroy();
    });
    return gzip;
  }

  private async put(bytes: Buffer): Promise<void> {
    const { sink, signal } = this;
    if (sink === undefined || signal.aborted || this.response.destroyed) throw gone();
    if (!sink.write(bytes)) await drained(sink, signal);
  }

  /** Breaks the connection off: what was sent can't be taken back, and must not be taken for the whole. */
  break(): void {
    this.response.destroy();
  }
}

/** Resolves once the client has taken what is buffered. */
function drained(sink: Writable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: AppError) => {
      clearTimeout(limit);
      sink.off('drain', onDrain);
      signal.removeEventListener('abort', onAbort);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onDrain = () => {
      settle();
    };
    const onAbort = () => {
      settle(gone());
    };
    const limit = setTimeout(onAbort, STALLED_MS);
    sink.on('drain', onDrain);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
}

function gone(): AppError {
  return new AppError('aborted', 'answering a query: the client went away, or takes nothing');
}
