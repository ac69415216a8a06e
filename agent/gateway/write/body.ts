// Reads the body of a write, plain or gzip, into one buffer, within the limits and within what was claimed for it. Refuses
// in influxd's words, and reads nothing for which there is no room.
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { GatewayError } from '../errors.js';
import type { Admission, Claim } from './admission.js';

export interface BodyLimits {
  /** As it comes; influxd's max-body-size. */
  readonly maxBodyBytes: number;
}

export type BodyOutcome =
  | { readonly kind: 'read'; readonly body: Buffer; readonly claim: Claim }
  | { readonly kind: 'refused'; readonly fault: GatewayError }
  /** The client went away; there is nobody to tell. */
  | { readonly kind: 'gone' };

/** influxd bounds only what comes in. Line protocol packs to a tenth, so this is generous, and a zip bomb stays small. */
const MAX_INFLATION = 4;
/** For a body whose length is not said: claimed at first, and whenever it is used up. */
const CLAIM_STEP_BYTES = 64 * 1024;
/** What clients are asked to wait: an agent works off all that it may hold within about this time. */
const RETRY_AFTER_SECONDS = 1;

const TOO_LARGE: GatewayError = {
  status: 413,
  code: 'body-too-large',
  error: 'Request Entity Too Large',
};

const QUEUE_FULL: GatewayError = {
  status: 503,
  code: 'queue-full',
  error:
    'too many writes are under way at this gateway (gateway.max-bytes-in-flight, gateway.max-writes); send it again in a moment',
  isSafeToRetry: true,
  retryAfterSeconds: RETRY_AFTER_SECONDS,
};

/** Never rejects. A claim of `read` is the caller's to release. `wantBody` is called once there is room for it. */
export async function readWriteBody(
  request: IncomingMessage,
  admission: Admission,
  { maxBodyBytes }: BodyLimits,
  wantBody: () => void,
): Promise<BodyOutcome> {
  const said = Number(request.headers['content-length'] ?? NaN);
  if (said > maxBodyBytes) return { kind: 'refused', fault: TOO_LARGE };
  const claim = admission.admit(Number.isNaN(said) ? CLAIM_STEP_BYTES : said);
  if (claim === undefined) return { kind: 'refused', fault: QUEUE_FULL };
  wantBody();
  // Exactly so: influxd knows no other spelling and no other coding.
  const isZipped = request.headers['content-encoding'] === 'gzip';
  const reading = new BodyReading(claim, Number.isNaN(said) ? CLAIM_STEP_BYTES : said);
  const outcome = await (isZipped
    ? reading.inflated(request, maxBodyBytes)
    : reading.plain(request, maxBodyBytes));
  if (outcome.kind !== 'read') claim.release();
  return outcome;
}

class BodyReading {
  private readonly chunks: Buffer[] = [];
  private size = 0;

  constructor(
    private readonly claim: Claim,
    private claimed: number,
  ) {}

  plain(request: IncomingMessage, maxBytes: number): Promise<BodyOutcome> {
    return new Promise((resolve) => {
      this.collect(request, maxBytes, resolve);
      onBreak(request, () => {
        resolve({ kind: 'gone' });
      });
    });
  }

  inflated(request: IncomingMessage, maxBytes: number): Promise<BodyOutcome> {
    return new Promise((resolve) => {
      const gunzip = createGunzip();
      let compressed = 0;
      const end = (outcome: BodyOutcome) => {
        request.unpipe(gunzip);
        gunzip.destroy();
        // The rest of what was sent is thrown away as it comes.
        request.resume();
        resolve(outcome);
      };
      const refuse = (fault: GatewayError) => {
        end({ kind: 'refused', fault });
      };
      request.on('data', (chunk: Buffer) => {
        compressed += chunk.length;
        if (compressed > maxBytes) refuse(TOO_LARGE);
      });
      onBreak(request, () => {
        end({ kind: 'gone' });
      });
      gunzip.on('error', (error) => {
        refuse(badGzip(error, compressed));
      });
      this.collect(gunzip, maxBytes * MAX_INFLATION, (outcome) => {
        // To Node nothing at all is an empty body, to Go it is half a file.
        if (compressed === 0) refuse(badGzip(undefined, 0));
        else end(outcome);
      });
      request.pipe(gunzip);
    });
  }

  private collect(
    source: Readable,
    maxBytes: number,
    resolve: (outcome: BodyOutcome) => void,
  ): void {
    let isOver = false;
    const end = (outcome: BodyOutcome) => {
      if (isOver) return;
      isOver = true;
      this.chunks.length = 0;
      resolve(outcome);
    };
    source.on('data', (chunk: Buffer) => {
      if (isOver) return;
      this.size += chunk.length;
      if (this.size > maxBytes) end({ kind: 'refused', fault: TOO_LARGE });
      else if (!this.hasRoom()) end({ kind: 'refused', fault: QUEUE_FULL });
      else this.chunks.push(chunk);
    });
    source.on('end', () => {
      if (isOver) return;
      const { chunks, claim } = this;
      const body = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
      end({ kind: 'read', body, claim });
    });
  }

  private hasRoom(): boolean {
    if (this.size <= this.claimed) return true;
    const more = Math.max(CLAIM_STEP_BYTES, this.size - this.claimed);
    if (!this.claim.grow(more)) return false;
    this.claimed += more;
    return true;
  }
}

/** The client went away before all was read; also where all had come, because then it is thrown away. */
function onBreak(request: IncomingMessage, listener: () => void): void {
  if (request.destroyed && !request.readableEnded) {
    listener();
    return;
  }
  request.once('error', listener);
  request.once('close', () => {
    if (!request.readableEnded) listener();
  });
}

/** In the words of Go's compress/gzip. */
function badGzip(error: NodeJS.ErrnoException | undefined, compressed: number): GatewayError {
  const text =
    compressed === 0
      ? 'EOF'
      : error?.code === 'Z_BUF_ERROR' || compressed < GZIP_HEAD_BYTES
        ? 'unexpected EOF'
        : error?.message.includes('header') === true
          ? 'gzip: invalid header'
          : error?.message.includes('check') === true
            ? 'gzip: invalid checksum'
            : 'flate: corrupt input before offset 0';
  return { status: 400, code: 'bad-request', error: text };
}

const GZIP_HEAD_BYTES = 10;
