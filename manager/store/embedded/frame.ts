// Frames: how the embedded store's files are cut into pieces that are either whole or recognisably not.
// A frame is magic (4 bytes), length (u32), CRC-32 of the payload (u32), payload; numbers are little endian.
import { crc32 } from 'node:zlib';

/** Marks a frame's start, so that whole frames behind a damaged one can be found. */
const MAGIC = Buffer.from('CFXF');
const HEADER_BYTES = 12;

export function encodeFrame(payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(payload.length, 4);
  header.writeUInt32LE(crc32(payload), 8);
  return Buffer.concat([header, payload]);
}

/** What a file holds: its whole frames, and how it ends. */
export interface ScannedFrames {
  readonly payloads: readonly Buffer[];
  /** Bytes up to the end of the last whole frame. */
  readonly wholeBytes: number;
  /**
   * `clean`: nothing follows. `torn`: what follows is the rest of a write that never ended. `damaged`: a whole frame comes
   * later, so what lies between was whole once, and cutting it off would lose what was acknowledged.
   */
  readonly ending: 'clean' | 'torn' | 'damaged';
}

/** Reads frames from the start of `bytes` up to the first that is not whole. The payloads are views on `bytes`. */
export function scanFrames(bytes: Buffer): ScannedFrames {
  const payloads: Buffer[] = [];
  let offset = 0;
  for (;;) {
    const payload = frameAt(bytes, offset);
    if (payload === undefined) break;
    payloads.push(payload);
    offset += HEADER_BYTES + payload.length;
  }
  return { payloads, wholeBytes: offset, ending: endingAt(bytes, offset) };
}

function frameAt(bytes: Buffer, offset: number): Buffer | undefined {
  if (offset + HEADER_BYTES > bytes.length) return undefined;
  if (bytes.compare(MAGIC, 0, MAGIC.length, offset, offset + MAGIC.length) !== 0) return undefined;
  const start = offset + HEADER_BYTES;
  const end = start + bytes.readUInt32LE(offset + 4);
  if (end > bytes.length) return undefined;
  const payload = bytes.subarray(start, end);
  return crc32(payload) === bytes.readUInt32LE(offset + 8) ? payload : undefined;
}

function endingAt(bytes: Buffer, offset: number): ScannedFrames['ending'] {
  if (offset === bytes.length) return 'clean';
  let next = bytes.indexOf(MAGIC, offset + 1);
  while (next !== -1) {
    if (frameAt(bytes, next) !== undefined) return 'damaged';
    next = bytes.indexOf(MAGIC, next + 1);
  }
  return 'torn';
}
