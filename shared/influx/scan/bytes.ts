// The bytes that mean something in line protocol.

export const NUL = 0x00;
export const TAB = 0x09;
export const NEWLINE = 0x0a;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const HASH = 0x23;
export const COMMA = 0x2c;
export const PLUS = 0x2b;
export const MINUS = 0x2d;
export const DOT = 0x2e;
export const ZERO = 0x30;
export const NINE = 0x39;
export const EQUALS = 0x3d;
export const BACKSLASH = 0x5c;

/** What influxd skips before a line's parts. */
export function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB || byte === NUL;
}

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

/** The first position from `start` that is not blank, at most `end`. */
export function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isBlank(bytes[at])) at += 1;
  return at;
}

/**
 * The first `stop` from `start` that no backslash stands right before, at most `end`. A backslash is no escape for the
 * byte at `start` itself: influxd looks at parts by themselves.
 */
export function findUnescaped(bytes: Uint8Array, start: number, end: number, stop: number): number {
  let at = start;
  while (at < end && (bytes[at] !== stop || (at > start && bytes[at - 1] === BACKSLASH))) at += 1;
  return at;
}
