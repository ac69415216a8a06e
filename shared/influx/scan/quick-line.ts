// One line as most clients write them, in one pass without an object: no odd escapes, no odd blanks, no exponents, no faults.
// It gives up (-1) at anything else, and says nothing about why: exact-line.ts then judges the line.
import {
  BACKSLASH,
  COMMA,
  DOT,
  EQUALS,
  HASH,
  MINUS,
  NEWLINE,
  NINE,
  QUOTE,
  SPACE,
  ZERO,
} from './bytes.js';
import { BOOLEAN, FLOAT, INTEGER, STRING } from './exact-fields.js';
import { GIVE_UP, IS_STOP, isPlainEscape, QuickTags } from './quick-tags.js';
import { FACTOR_1, FACTOR_2, HASH_1, HASH_2, joinSums, typeMark } from './shape-hash.js';

/** And all that is not ASCII: names of measurements and fields have to be UTF-8, which is not looked at here. */
const IS_NAME_STOP = IS_STOP.slice().fill(1, 0x80);

/** Of measurement and tags, and of a field's key: together far enough below influxd's 65,535 that nothing has to be added up. */
const MAX_KEY_LENGTH = 60_000;
const MAX_FIELD_KEY_LENGTH = 4_000;
/** Numbers this short need no look at their size. */
const MAX_INTEGER_LENGTH = 18;
const MAX_FLOAT_LENGTH = 24;
const MAX_TIME_DIGITS = 19;
/** Within what int64 has room for, by more than a double can be off. */
const MAX_SURE_TIME_NS = 9.22e18;
/** A number of up to 15 digits is exact as a double; so times are read in two parts. */
const EXACT_DIGITS = 15;

const LOWER_I = 0x69;
const UPPER_T = 0x54;
const UPPER_F = 0x46;
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');

export class QuickLine {
  keyEnd = 0;
  end = 0;
  hasTime = false;
  timeNs = 0;
  shape = 0;

  /** Of measurement, field keys and types so far. */
  private sum1 = 0;
  private sum2 = 0;
  private readonly tags: QuickTags;

  constructor(
    private readonly bytes: Buffer,
    private readonly unitNs: number,
  ) {
    this.tags = new QuickTags(bytes);
  }

  /** Of the tags. */
  get isSorted(): boolean {
    return this.tags.isSorted;
  }

  /** Scans the line from `start`, which is inside of the bytes; returns where the next one begins, or -1. */
  scan(start: number): number {
    if (this.bytes[start] === HASH) return GIVE_UP;
    this.sum1 = HASH_1;
    this.sum2 = HASH_2;
    const measurementEnd = this.hashedKey(start, EQUALS);
    if (measurementEnd === GIVE_UP || measurementEnd === start) return GIVE_UP;
    this.mix(typeMark(0));
    const keyEnd = this.tags.scan(measurementEnd);
    if (keyEnd === GIVE_UP || keyEnd - start > MAX_KEY_LENGTH) return GIVE_UP;
    this.keyEnd = keyEnd;
    const fieldsEnd = this.fields(this.skipSpaces(keyEnd));
    if (fieldsEnd === GIVE_UP) return GIVE_UP;
    this.shape = joinSums(this.sum1, this.sum2);
    return this.time(fieldsEnd);
  }

  /** Behind a measurement, or a field's key, and the hash of it; a stop byte that is `ordinary` is passed over. */
  private hashedKey(start: number, ordinary: number): number {
    const { bytes } = this;
    const length = bytes.length;
    let { sum1, sum2 } = this;
    let at = start;
    for (; at < length; at += 1) {
      const byte = bytes[at] as number;
      if (IS_NAME_STOP[byte] === 1 && byte !== ordinary) {
        if (byte !== BACKSLASH) break;
        if (!isPlainEscape(bytes, at)) return GIVE_UP;
        sum1 = Math.imul(sum1 ^ byte, FACTOR_1);
        sum2 = Math.imul(sum2 ^ byte, FACTOR_2);
        at += 1;
      }
      const taken = bytes[at] as number;
      sum1 = Math.imul(sum1 ^ taken, FACTOR_1);
      sum2 = Math.imul(sum2 ^ taken, FACTOR_2);
    }
    this.sum1 = sum1;
    this.sum2 = sum2;
    return at < length ? at : GIVE_UP;
  }

  private skipSpaces(start: number): number {
    let at = start;
    while (this.bytes[at] === SPACE) at += 1;
    return at;
  }

  /** Behind the last field: at a space, a newline or the end of the body. */
  private fields(start: number): number {
    const { bytes } = this;
    let at = start;
    for (;;) {
      const keyEnd = this.hashedKey(at, -1);
      if (keyEnd === GIVE_UP || keyEnd === at || bytes[keyEnd] !== EQUALS) return GIVE_UP;
      if (keyEnd - at > MAX_FIELD_KEY_LENGTH) return GIVE_UP;
      const first = bytes[keyEnd + 1];
      if (first === QUOTE) at = this.string(keyEnd + 2);
      else if (first === MINUS || first === DOT || isDigit(first)) at = this.number(keyEnd + 1);
      else at = this.boolean(keyEnd + 1);
      if (at === GIVE_UP) return GIVE_UP;
      const next = bytes[at];
      if (next === COMMA) at += 1;
      else return next === SPACE || next === NEWLINE || at >= bytes.length ? at : GIVE_UP;
    }
  }

  /** Behind the closing quote. */
  private string(start: number): number {
    const { bytes } = this;
    const length = bytes.length;
    let at = start;
    for (; at < length; at += 1) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) {
        this.mix(typeMark(STRING));
        return at + 1;
      }
      if (byte === BACKSLASH) {
        if (at + 2 >= length) return GIVE_UP;
        at += 1;
      }
    }
    return GIVE_UP;
  }

  private number(start: number): number {
    const { bytes } = this;
    const digitsStart = bytes[start] === MINUS ? start + 1 : start;
    let at = digitsStart;
    while (isDigit(bytes[at])) at += 1;
    if (bytes[at] === LOWER_I) {
      if (at === digitsStart || at - start > MAX_INTEGER_LENGTH) return GIVE_UP;
      this.mix(typeMark(INTEGER));
      return at + 1;
    }
    let digits = at - digitsStart;
    if (bytes[at] === DOT) {
      const fractionStart = at + 1;
      at = fractionStart;
      while (isDigit(bytes[at])) at += 1;
      digits += at - fractionStart;
    }
    if (digits === 0 || at - start > MAX_FLOAT_LENGTH) return GIVE_UP;
    this.mix(typeMark(FLOAT));
    return at;
  }

  /** One letter, or the word in small letters; the separator behind it is looked at by the caller. */
  private boolean(start: number): number {
    const { bytes } = this;
    this.mix(typeMark(BOOLEAN));
    const first = bytes[start] as number;
    const isTrue = first === TRUE[0] || first === UPPER_T;
    if (!isTrue && first !== FALSE[0] && first !== UPPER_F) return GIVE_UP;
    const second = bytes[start + 1];
    if (second === COMMA || second === SPACE || second === NEWLINE) return start + 1;
    const word = isTrue ? TRUE : FALSE;
    for (let at = 0; at < word.length; at += 1) {
      if (bytes[start + at] !== word[at]) return GIVE_UP;
    }
    return start + word.length;
  }

  /** The time behind the fields; returns where the next line begins. */
  private time(fieldsEnd: number): number {
    const { bytes } = this;
    const length = bytes.length;
    const start = this.skipSpaces(fieldsEnd);
    if (start >= length || bytes[start] === NEWLINE) {
      this.hasTime = false;
      this.end = fieldsEnd;
      return start + 1;
    }
    const isNegative = bytes[start] === MINUS;
    const digitsStart = isNegative ? start + 1 : start;
    let at = digitsStart;
    let high = 0;
    let low = 0;
    let lowFactor = 1;
    for (; isDigit(bytes[at]); at += 1) {
      const digit = (bytes[at] as number) - ZERO;
      if (at - digitsStart < EXACT_DIGITS) {
        high = high * 10 + digit;
      } else {
        low = low * 10 + digit;
        lowFactor *= 10;
      }
    }
    if (at === digitsStart || at - digitsStart > MAX_TIME_DIGITS) return GIVE_UP;
    const end = this.skipSpaces(at);
    if (end < length && bytes[end] !== NEWLINE) return GIVE_UP;
    const timeNs = (high * lowFactor + low) * this.unitNs;
    if (timeNs > MAX_SURE_TIME_NS) return GIVE_UP;
    this.timeNs = isNegative ? -timeNs : timeNs;
    this.hasTime = true;
    this.end = end;
    return end + 1;
  }

  private mix(number: number): void {
    this.sum1 = Math.imul(this.sum1 ^ number, FACTOR_1);
    this.sum2 = Math.imul(this.sum2 ^ number, FACTOR_2);
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}
