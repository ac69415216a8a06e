// Takes the answer to one statement apart while it streams by: what is around the result goes, and its number, always 0,
// becomes the one that it has in the client's request. Nothing is parsed beyond the first bytes of a document.
import { DocumentScanner } from './msgpack-scan.js';
import type { AnswerForm } from './port.js';

/** What a rewritten answer came to. */
export interface Rewritten {
  /** The statement failed; influxd stops after it. */
  isError: boolean;
  bytes: number;
}

interface Shape {
  /** Before the first result. */
  readonly head: string;
  /** From a result's first byte to its number. */
  readonly number: string;
  /** Behind the number of a failed statement. */
  readonly error: string;
  /** Behind the last result. */
  readonly tail: string;
  /** Between two results of one document. */
  readonly comma: string;
}

export const COMPACT: Shape = {
  head: '{"results":[',
  number: '{"statement_id":',
  error: ',"error":',
  tail: ']}\n',
  comma: ',',
};

export const PRETTY: Shape = {
  head: '{\n    "results": [\n',
  number: '        {\n            "statement_id": ',
  error: ',\n            "error": ',
  tail: '\n    ]\n}\n',
  comma: ',\n',
};

/** In MessagePack a failed statement's result has no number. */
const PACKED_HEAD = Buffer.concat([
  Buffer.from([0x81, 0xa7]),
  Buffer.from('results'),
  Buffer.from([0x91]),
]);
const PACKED_NUMBER = Buffer.concat([Buffer.from([0xac]), Buffer.from('statement_id')]);
const PACKED_ERROR = Buffer.concat([Buffer.from([0xa5]), Buffer.from('error')]);

/** influxd's answer is none that could be put together with others. */
export class UnknownAnswer extends Error {}

/**
 * The results of an answer to one statement, with the number `id`; for chunked answers whole documents. `seen` is filled in
 * as it goes. Throws UnknownAnswer.
 */
export function rewrite(
  source: AsyncIterable<Buffer>,
  id: number,
  form: AnswerForm,
  seen: Rewritten,
): AsyncIterable<Buffer> {
  if (form.format === 'csv') return plain(source, seen);
  if (form.format === 'msgpack') return packed(source, id, form.isChunked, seen);
  const shape = form.isPretty ? PRETTY : COMPACT;
  return form.isChunked ? documents(source, id, shape, seen) : oneDocument(source, id, shape, seen);
}

async function* plain(source: AsyncIterable<Buffer>, seen: Rewritten): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    seen.bytes += chunk.length;
    yield chunk;
  }
}

/** JSON, all results in one document. */
async function* oneDocument(
  source: AsyncIterable<Buffer>,
  id: number,
  shape: Shape,
  seen: Rewritten,
): AsyncGenerator<Buffer> {
  const headBytes = shape.head.length + shape.number.length + 1 + shape.error.length;
  let held: Buffer = Buffer.alloc(0);
  let isBegun = false;
  for await (const chunk of source) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    if (!isBegun) {
      if (held.length < headBytes) continue;
      held = begin(held, id, shape, seen).subarray(shape.head.length);
      isBegun = true;
    }
    // What may be the tail stays until more has come.
    const ready = held.length - shape.tail.length;
    if (ready <= 0) continue;
    seen.bytes += ready;
    yield held.subarray(0, ready);
    held = held.subarray(ready);
  }
  if (!isBegun) {
    // No result at all: influxd writes {}.
    if (held.toString() === '{}\n') return;
    held = begin(held, id, shape, seen).subarray(shape.head.length);
  }
  if (!held.toString('latin1').endsWith(shape.tail)) throw new UnknownAnswer('it breaks off');
  const rest = held.subarray(0, held.length - shape.tail.length);
  seen.bytes += rest.length;
  if (rest.length > 0) yield rest;
}

/** The document's beginning with the other number in it. */
function begin(held: Buffer, id: number, shape: Shape, seen: Rewritten): Buffer {
  const before = shape.head.length + shape.number.length;
  const errorEnd = before + 1 + shape.error.length;
  if (held.toString('latin1', 0, before + 1) !== `${shape.head}${shape.number}0`) {
    throw new UnknownAnswer(
      `it begins with ${JSON.stringify(held.toString('latin1', 0, before + 1))}`,
    );
  }
  if (held.toString('latin1', before + 1, errorEnd) === shape.error) seen.isError = true;
  const number = Buffer.from(id.toString());
  return Buffer.concat([held.subarray(0, before), number, held.subarray(before + 1)]);
}

/** JSON, one document per chunk; a line feed at the margin occurs only between documents. */
async function* documents(
  source: AsyncIterable<Buffer>,
  id: number,
  shape: Shape,
  seen: Rewritten,
): AsyncGenerator<Buffer> {
  const end = shape === PRETTY ? '\n}\n' : '\n';
  const headBytes = shape.head.length + shape.number.length + 1 + shape.error.length;
  let held: Buffer = Buffer.alloc(0);
  let isInside = false;
  for await (const chunk of source) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length > 0) {
      if (!isInside) {
        // A document without series is shorter than the head of one with an error.
        if (held.length < headBytes && !held.includes(end)) break;
        held = begin(held, id, shape, seen);
        isInside = true;
      }
      const at = held.indexOf(end);
      // The end may lie across two chunks.
      const ready = at < 0 ? held.length - end.length + 1 : at + end.length;
      if (ready <= 0) break;
      seen.bytes += ready;
      yield held.subarray(0, ready);
      held = held.subarray(ready);
      if (at < 0) break;
      isInside = false;
    }
  }
  if (held.length === 0 && !isInside) return;
  if (isInside || held.toString() !== '{}\n') throw new UnknownAnswer('it breaks off');
}

/** MessagePack: head, number and error are in the first bytes of each document. */
async function* packed(
  source: AsyncIterable<Buffer>,
  id: number,
  isChunked: boolean,
  seen: Rewritten,
): AsyncGenerator<Buffer> {
  const scanner = new DocumentScanner();
  // The result's map, its first key, and one byte of its number.
  const headBytes = PACKED_HEAD.length + 1 + PACKED_NUMBER.length + 1;
  let head: Buffer = Buffer.alloc(0);
  let isInside = false;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      const end = scanner.end(chunk, at);
      let piece = chunk.subarray(at, end < 0 ? chunk.length : end);
      at += piece.length;
      if (!isInside) {
        head = Buffer.concat([head, piece]);
        if (head.length < headBytes && end < 0) continue;
        piece = beginPacked(head, id, isChunked, seen);
        head = Buffer.alloc(0);
        isInside = true;
      }
      seen.bytes += piece.length;
      yield piece;
      if (end >= 0) isInside = false;
    }
  }
  if (isInside || head.length > 0) throw new UnknownAnswer('it breaks off');
}

function beginPacked(held: Buffer, id: number, isChunked: boolean, seen: Rewritten): Buffer {
  const before = PACKED_HEAD.length;
  if (!held.subarray(0, before).equals(PACKED_HEAD)) {
    throw new UnknownAnswer('it does not begin with one result');
  }
  const skipped = isChunked ? 0 : before;
  const key = held.subarray(before + 1);
  if (key.subarray(0, PACKED_ERROR.length).equals(PACKED_ERROR)) {
    seen.isError = true;
    return held.subarray(skipped);
  }
  if (!key.subarray(0, PACKED_NUMBER.length).equals(PACKED_NUMBER)) {
    throw new UnknownAnswer('its result has no number');
  }
  const number = before + 1 + PACKED_NUMBER.length;
  return Buffer.concat([
    held.subarray(skipped, number),
    packedNumber(id),
    held.subarray(number + 1),
  ]);
}

/** As influxd's encoder: one byte below 128, else as a signed integer of 16 or 32 bits. */
function packedNumber(id: number): Buffer {
  if (id < 0x80) return Buffer.from([id]);
  const isShort = id < 0x8000;
  const bytes = Buffer.alloc(isShort ? 3 : 5, isShort ? 0xd1 : 0xd2);
  bytes.writeIntBE(id, 1, isShort ? 2 : 4);
  return bytes;
}
