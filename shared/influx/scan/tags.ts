// Where the tags of a line's key stand. The key must be one that was scanned: these functions find no faults.
import { BACKSLASH, COMMA, EQUALS, findUnescaped } from './bytes.js';

/** Positions of the first bytes of all tag keys in bytes[start, end), a measurement and its tags. */
export function tagStarts(bytes: Uint8Array, start: number, end: number): number[] {
  const starts: number[] = [];
  let at = measurementEnd(bytes, start, end);
  while (at < end) {
    starts.push(at + 1);
    at = tagEnd(bytes, at + 1, end);
  }
  return starts;
}

/** Of the measurement that begins at `start`: its first byte may be anything, and an escaped comma belongs to it. */
export function measurementEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  while (at < end && (bytes[at] !== COMMA || bytes[at - 1] === BACKSLASH)) at += 1;
  return Math.min(at, end);
}

/** Of the whole tag, key and value, that begins at `start`. */
export function tagEnd(bytes: Uint8Array, start: number, end: number): number {
  return findUnescaped(bytes, start, end, COMMA);
}

/** Of the key of the tag that begins at `start`: where its `=` stands. */
export function tagKeyEnd(bytes: Uint8Array, start: number, end: number): number {
  return findUnescaped(bytes, start, end, EQUALS);
}
