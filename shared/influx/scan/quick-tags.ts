// The tags of one line as most clients write them, for quick-line.ts: in one pass, and with a look at their order. It gives up
// (-1) at odd escapes, at faults and at keys that come twice.
import { BACKSLASH, COMMA, EQUALS, NEWLINE, NUL, SPACE, TAB } from './bytes.js';

export const GIVE_UP = -1;

/** Bytes that end, or may end, a part of a key. */
export const IS_STOP = new Uint8Array(256);
for (const byte of [COMMA, SPACE, EQUALS, BACKSLASH, NEWLINE, NUL, TAB]) IS_STOP[byte] = 1;

/** influxd crashes at certain numbers of tags from 100 on. */
const MAX_TAGS = 99;

/** Whether both of influxd's rules see one escaped byte there. */
export function isPlainEscape(bytes: Uint8Array, at: number): boolean {
  const next = bytes[at + 1] as number;
  return at + 2 < bytes.length && next !== BACKSLASH && next !== NEWLINE && next < 0x80;
}

export class QuickTags {
  /** Of the tags scanned last: by the raw bytes of their keys. */
  isSorted = true;

  /** Begin and end of each tag's key. */
  private readonly keyStarts = new Int32Array(MAX_TAGS);
  private readonly keyEnds = new Int32Array(MAX_TAGS);

  constructor(private readonly bytes: Uint8Array) {}

  /** From the comma or space behind the measurement to the space behind the tags. */
  scan(measurementEnd: number): number {
    const { bytes } = this;
    const { keyStarts, keyEnds } = this;
    let at = measurementEnd;
    let count = 0;
    this.isSorted = true;
    while (bytes[at] === COMMA) {
      const start = at + 1;
      const keyEnd = this.part(start);
      if (keyEnd === GIVE_UP || keyEnd === start || bytes[keyEnd] !== EQUALS) return GIVE_UP;
      if (count === MAX_TAGS) return GIVE_UP;
      keyStarts[count] = start;
      keyEnds[count] = keyEnd;
      if (count > 0 && !this.isBefore(count - 1, count)) this.isSorted = false;
      at = this.part(keyEnd + 1);
      if (at === GIVE_UP || at === keyEnd + 1) return GIVE_UP;
      count += 1;
    }
    if (!this.isSorted && this.hasDuplicate(count)) return GIVE_UP;
    return bytes[at] === SPACE ? at : GIVE_UP;
  }

  /** Behind a tag's key or value. */
  private part(start: number): number {
    const { bytes } = this;
    const length = bytes.length;
    let at = start;
    for (; at < length; at += 1) {
      const byte = bytes[at] as number;
      if (IS_STOP[byte] === 1) {
        if (byte !== BACKSLASH) return at;
        if (!isPlainEscape(bytes, at)) return GIVE_UP;
        at += 1;
      }
    }
    return GIVE_UP;
  }

  /** Whether one tag's key sorts before another one's. */
  private isBefore(left: number, right: number): boolean {
    const { bytes, keyStarts, keyEnds } = this;
    const leftEnd = keyEnds[left] as number;
    const rightEnd = keyEnds[right] as number;
    let i = keyStarts[left] as number;
    let j = keyStarts[right] as number;
    while (i < leftEnd && j < rightEnd && bytes[i] === bytes[j]) {
      i += 1;
      j += 1;
    }
    return j < rightEnd && (i === leftEnd || (bytes[i] as number) < (bytes[j] as number));
  }

  /** Each against each: tags are few, and most differ in length or in their first byte. */
  private hasDuplicate(count: number): boolean {
    for (let i = 1; i < count; i += 1) {
      for (let j = 0; j < i; j += 1) if (this.isSameKey(i, j)) return true;
    }
    return false;
  }

  private isSameKey(left: number, right: number): boolean {
    const { bytes, keyStarts, keyEnds } = this;
    const start = keyStarts[left] as number;
    const other = keyStarts[right] as number;
    const length = (keyEnds[left] as number) - start;
    if ((keyEnds[right] as number) - other !== length) return false;
    for (let at = 0; at < length; at += 1) {
      if (bytes[start + at] !== bytes[other + at]) return false;
    }
    return true;
  }
}
