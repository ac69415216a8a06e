// Answers of unknown length between agents: frames of at most 64 KiB, each with a code over its place and content, and a
// last one that says that all of it came. What is cut, altered, repeated or reordered is a body that broke off, never an end.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';

/**
 * One frame: a byte for its kind, three for the length of its payload (big endian), the payload, and with a key the first 16
 * bytes of HMAC-SHA256 over the frame's number (64 bits), its four bytes of head and its payload.
 */
const KINDS = { data: 0, end: 1, alive: 2, broken: 3, head: 4 } as const;
type FrameKind = keyof typeof KINDS;
const KIND_OF = new Map<number, FrameKind>(
  Object.entries(KINDS).map(([name, value]) => [value, name as FrameKind]),
);

export const FRAMES_TYPE = 'application/vnd.clusterflux.frames';

/** As much as a socket gives at once: larger ones would only be held longer. */
export const MAX_FRAME_BYTES = 64 * 1024;
const HEAD_BYTES = 4;
/** 128 bits: nobody guesses one. */
const CODE_BYTES = 16;
/** What broke a body off, in words: one sentence. */
const MAX_REASON_BYTES = 1_024;

/** While there is nothing to send, this often: a query may compute for minutes, and a dead peer must not look the same. */
export const ALIVE_EVERY_MS = 2_000;

/** Makes the codes of one direction of one answer. Without a key there are none: TLS, or nothing, protects it. */
class Codes {
  private sequence = 0n;

  constructor(private readonly key: Buffer | undefined) {}

  get bytes(): number {
    return this.key === undefined ? 0 : CODE_BYTES;
  }

  next(head: Buffer, payload: Buffer): Buffer | undefined {
    if (this.key === undefined) return undefined;
    const place = Buffer.alloc(8);
    place.writeBigUInt64BE(this.sequence);
    this.sequence += 1n;
    const whole = createHmac('sha256', this.key).update(place).update(head).update(payload);
    return whole.digest().subarray(0, CODE_BYTES);
  }
}

export interface FrameWriterOptions {
  /** Undefined: without codes. */
  readonly key: Buffer | undefined;
  /** The first frame: what the body is. JSON. */
  readonly head: object;
  readonly aliveEveryMs?: number;
}

/** Bytes in, frames out. `breakOff` ends it as a failure that the reader is told of. */
export class FrameWriter extends Transform {
  private readonly codes: Codes;
  private readonly timer: NodeJS.Timeout;
  private isOver = false;
  private isIdle = true;

  constructor({ key, head, aliveEveryMs = ALIVE_EVERY_MS }: FrameWriterOptions) {
    super();
    this.codes = new Codes(key);
    this.put('head', Buffer.from(JSON.stringify(head)));
    this.timer = setInterval(() => {
      if (this.isIdle && !this.isOver && !this.destroyed) this.put('alive', Buffer.alloc(0));
      this.isIdle = true;
    }, aliveEveryMs);
    this.timer.unref();
  }

  /** Says why there will be no more, and ends. */
  breakOff(reason: string): void {
    if (this.isOver || this.destroyed) return;
    this.close('broken', Buffer.from(reason).subarray(0, MAX_REASON_BYTES));
    // Nothing is read from whoever wrote into this any more.
    this.push(null);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    for (let at = 0; at < chunk.length && !this.isOver; at += MAX_FRAME_BYTES) {
      this.put('data', chunk.subarray(at, at + MAX_FRAME_BYTES));
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    if (!this.isOver) this.close('end', Buffer.alloc(0));
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearInterval(this.timer);
    done(error);
  }

  private close(kind: FrameKind, payload: Buffer): void {
    this.put(kind, payload);
    this.isOver = true;
    clearInterval(this.timer);
  }

  private put(kind: FrameKind, payload: Buffer): void {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32BE((KINDS[kind] << 24) | payload.length);
    const code = this.codes.next(head, payload);
    // One piece: copying 64 KiB costs less than three ways through the streams behind.
    this.push(Buffer.concat(code === undefined ? [head, payload] : [head, payload, code]));
    this.isIdle = false;
  }
}

/** Frames in, the bytes in them out. Emits an error wherever they are not exactly what was sent, to the last one. */
export class FrameReader extends Transform {
  private readonly codes: Codes;
  private pending: Buffer = Buffer.alloc(0);
  private isOver = false;
  private hasHead = false;

  constructor(
    key: Buffer | undefined,
    private readonly onHead: (head: unknown) => void,
  ) {
    super();
    this.codes = new Codes(key);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    try {
      while (this.takeFrame());
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    const isWhole = this.isOver && this.pending.length === 0;
    done(isWhole ? null : new Error('the answer broke off before its end'));
  }

  /** False where the next frame is not here yet. */
  private takeFrame(): boolean {
    const { pending } = this;
    if (pending.length === 0) return false;
    if (this.isOver) throw new Error('the answer goes on after its end');
    if (pending.length < HEAD_BYTES) return false;
    const head = pending.subarray(0, HEAD_BYTES);
    const length = head.readUIntBE(1, 3);
    if (length > MAX_FRAME_BYTES) throw new Error('the answer is not made of frames');
    const endOfPayload = HEAD_BYTES + length;
    const endOfFrame = endOfPayload + this.codes.bytes;
    if (pending.length < endOfFrame) return false;
    const payload = pending.subarray(HEAD_BYTES, endOfPayload);
    const code = this.codes.next(head, payload);
    if (code !== undefined && !timingSafeEqual(code, pending.subarray(endOfPayload, endOfFrame))) {
      throw new Error('the answer was altered on its way');
    }
    this.pending = pending.subarray(endOfFrame);
    this.accept(KIND_OF.get(head.readUInt8(0)), payload);
    return true;
  }

  private accept(kind: FrameKind | undefined, payload: Buffer): void {
    if ((kind === 'head') === this.hasHead) throw new Error('the answer is not made of frames');
    switch (kind) {
      case 'head':
        this.hasHead = true;
        this.onHead(JSON.parse(payload.toString('utf8')));
        return;
      case 'data':
        this.push(payload);
        return;
      case 'alive':
        return;
      case 'end':
        this.isOver = true;
        return;
      case 'broken':
        throw new Error(payload.toString('utf8'));
      case undefined:
        throw new Error('the answer has a frame of a kind that this release does not know');
    }
  }
}
