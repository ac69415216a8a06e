// Measurement and tags of one line as influxd 1.6 scans them (models.scanKey), fault by fault.
import { BACKSLASH, COMMA, EQUALS, SPACE } from './bytes.js';
import { tagEnd, tagKeyEnd, tagStarts } from './tags.js';

/** models.MaxKeyLength */
export const MAX_KEY_LENGTH = 65_535;

/**
 * influxd 1.x keeps the places of tags in a list of 100 that doubles when it is full, and forgets to double it for the end
 * of the last tag: with exactly 100, 200, 400 ... tags its request panics, and answers 500 however often it is repeated.
 */
const TAG_LIST = 100;

export interface ExactKey {
  /** Behind the last byte of the key. */
  readonly end: number;
  readonly isSorted: boolean;
}

/** The key of the line [start, end); or why it has none. */
export function exactKey(bytes: Buffer, start: number, end: number): ExactKey | string {
  if (start >= end || bytes[start] === COMMA) return 'missing measurement';
  let at = start + 1;
  while (at < end && (bytes[at - 1] === BACKSLASH || !isSeparator(bytes[at]))) at += 1;
  if (at >= end) return 'missing fields';
  if (bytes[at] === COMMA) {
    const tagsEnd = exactTags(bytes, at + 1, end);
    if (typeof tagsEnd === 'string') return tagsEnd;
    at = tagsEnd;
  }
  const length = at - start;
  // influxd looks for duplicates first; of a key that is too long in any case, that would cost seconds.
  if (length > MAX_KEY_LENGTH) return `max key length exceeded: ${length} > ${MAX_KEY_LENGTH}`;
  const starts = tagStarts(bytes, start, at);
  const order = orderOfTags(bytes, starts, at);
  if (order === 'duplicate') return 'duplicate tags';
  if (crashesInfluxd(starts.length)) {
    return `a point with exactly ${starts.length} tags crashes the request in InfluxDB 1.x`;
  }
  return { end: at, isSorted: order === 'sorted' };
}

/** Behind the last tag, where the space is. */
function exactTags(bytes: Uint8Array, start: number, end: number): number | string {
  let at = start;
  for (;;) {
    if (at >= end || isSeparator(bytes[at]) || bytes[at] === EQUALS) return 'missing tag key';
    at += 1;
    while (at < end && (bytes[at - 1] === BACKSLASH || !isEndOfKey(bytes[at]))) at += 1;
    if (at >= end || bytes[at] !== EQUALS) return 'missing tag value';
    at += 1;
    if (at >= end || isSeparator(bytes[at])) return 'missing tag value';
    at += 1;
    while (at < end && (bytes[at - 1] === BACKSLASH || !isEndOfKey(bytes[at]))) at += 1;
    if (at >= end) return 'missing fields';
    if (bytes[at] === EQUALS) return 'invalid tag format';
    if (bytes[at] === SPACE) return at;
    at += 1;
  }
}

function isSeparator(byte: number | undefined): boolean {
  return byte === COMMA || byte === SPACE;
}

function isEndOfKey(byte: number | undefined): boolean {
  return isSeparator(byte) || byte === EQUALS;
}

/** By the raw bytes of the tags' keys. `end`: of the whole key. */
export function orderOfTags(
  bytes: Buffer,
  starts: readonly number[],
  end: number,
): 'sorted' | 'unsorted' | 'duplicate' {
  const keys = starts.map((start) =>
    bytes.subarray(start, tagKeyEnd(bytes, start, tagEnd(bytes, start, end))),
  );
  const sorted = [...keys].sort((a, b) => Buffer.compare(a, b));
  if (sorted.some((key, index) => index > 0 && sorted[index - 1]?.equals(key))) return 'duplicate';
  return sorted.every((key, index) => key === keys[index]) ? 'sorted' : 'unsorted';
}

export function crashesInfluxd(tags: number): boolean {
  let size = TAG_LIST;
  while (size < tags) size *= 2;
  return size === tags;
}
