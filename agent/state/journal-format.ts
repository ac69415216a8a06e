// The bytes of a journal. Log: one line per write, `crc32-hex SPACE json NEWLINE`; the first line is a header, each other
// line the array of records of one write. Snapshot: a header line with the checksum of the second line, the state.
// Nothing is repaired here: a damaged tail is reported as such, any other damage is refused.
import { crc32 } from 'node:zlib';

/** Raised when the form of these files changes; a file of another form is refused, not guessed at. */
const FORMAT = 1;
const NEWLINE = 0x0a;
/** Eight hex digits and a space. */
const CHECKSUM_LENGTH = 9;

export interface ParsedLog {
  readonly kind: 'log';
  readonly generation: number;
  /** The records of each write, oldest first, still to be decoded. */
  readonly writes: readonly unknown[][];
  /** Length of the valid part; what follows is a write that a crash interrupted. */
  readonly validBytes: number;
}

export interface ParsedSnapshot {
  readonly kind: 'snapshot';
  readonly generation: number;
  readonly state: unknown;
}

/** The file is not what a crash can leave behind. `reason` fits after "the file". */
export interface Damage {
  readonly kind: 'damaged';
  readonly reason: string;
}

export function encodeLogHeader(generation: number): Buffer {
  return encodeLine({ format: FORMAT, generation });
}

export function encodeWrite(records: readonly unknown[]): Buffer {
  return encodeLine(records);
}

export function encodeSnapshotFile(generation: number, state: unknown): Buffer {
  const body = Buffer.from(`${JSON.stringify(state)}\n`);
  const header = { format: FORMAT, generation, crc32: checksum(body.subarray(0, -1)) };
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), body]);
}

export function parseSnapshotFile(bytes: Buffer): ParsedSnapshot | Damage {
  const end = bytes.indexOf(NEWLINE);
  if (end < 0 || bytes.at(-1) !== NEWLINE) return damaged('ends too early');
  const header = parseJson(bytes.subarray(0, end));
  if (!isHeader(header)) return damaged('has no header that this version understands');
  const body = bytes.subarray(end + 1, -1);
  if (checksum(body) !== header['crc32']) return damaged('does not match its checksum');
  return { kind: 'snapshot', generation: header.generation, state: parseJson(body) };
}

/**
 * A crash can only leave an incomplete last line, because a write begins when the one before it is durable. So an invalid
 * line with a valid one behind it is damage, and so is an invalid header, which is made durable before its file has a name.
 */
export function parseLog(bytes: Buffer): ParsedLog | Damage {
  const lines = splitLines(bytes);
  const header = lines[0]?.value;
  if (!isHeader(header)) return damaged('has no header that this version understands');
  const firstInvalid = lines.findIndex(({ value }) => value === undefined);
  const valid = firstInvalid < 0 ? lines : lines.slice(0, firstInvalid);
  if (lines.slice(valid.length).some(({ value }) => value !== undefined)) {
    return damaged(`is damaged in line ${valid.length + 1}, which is not its last`);
  }
  const writes = valid.slice(1).map(({ value }) => value);
  const foreign = writes.findIndex((value) => !Array.isArray(value));
  if (foreign >= 0) return damaged(`has something else than records in line ${foreign + 2}`);
  return {
    kind: 'log',
    generation: header.generation,
    writes: writes as unknown[][],
    validBytes: valid.at(-1)?.end ?? 0,
  };
}

interface Line {
  /** Undefined where the line is incomplete or does not match its checksum. */
  readonly value: unknown;
  /** Offset of the first byte after it. */
  readonly end: number;
}

function splitLines(bytes: Buffer): Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline + 1;
    lines.push({
      value: newline < 0 ? undefined : decodeLine(bytes.subarray(start, newline)),
      end,
    });
    start = end;
  }
  return lines;
}

function encodeLine(value: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(value));
  return Buffer.concat([Buffer.from(`${checksum(json)} `), json, Buffer.from('\n')]);
}

function decodeLine(line: Buffer): unknown {
  const json = line.subarray(CHECKSUM_LENGTH);
  const isIntact = line.subarray(0, CHECKSUM_LENGTH).toString() === `${checksum(json)} `;
  return isIntact ? parseJson(json) : undefined;
}

function checksum(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    // Not JSON: to the callers that is an invalid line, like a wrong checksum.
    return undefined;
  }
}

function isHeader(value: unknown): value is { generation: number; crc32?: unknown } {
  if (typeof value !== 'object' || value === null) return false;
  const header = value as Record<string, unknown>;
  return header['format'] === FORMAT && Number.isSafeInteger(header['generation']);
}

function damaged(reason: string): Damage {
  return { kind: 'damaged', reason };
}
