// The hash that stands for a line's measurement, field keys and types of values: 53 bits out of two 32-bit sums, which keep
// what a point brings to the schema comparable by one number.
import { measurementEnd } from './tags.js';

export const HASH_1 = 0x811c9dc5 | 0;
export const HASH_2 = 0x9747b28c | 0;
/** FNV-1a's prime, and murmur2's multiplier: odd, with bits all over. */
export const FACTOR_1 = 0x01000193;
export const FACTOR_2 = 0x5bd1e995;

/** Above all bytes, so that a type can't be taken for a byte of a key. */
const TYPE_BASE = 0x100;

/** Bits of the second sum that are kept: its highest ones, which every byte has reached. */
const KEPT_BITS = 21;

/** 53 bits of the two sums. */
export function joinSums(sum1: number, sum2: number): number {
  return (sum1 >>> 0) * 2 ** KEPT_BITS + (sum2 >>> (32 - KEPT_BITS));
}

/** The number that is mixed in after a field's key. 0 ends the measurement. */
export function typeMark(type: number): number {
  return TYPE_BASE + type;
}

export class ShapeHash {
  private sum1 = HASH_1;
  private sum2 = HASH_2;

  /** The key of a line; only the measurement counts. */
  measurement(bytes: Uint8Array, start: number, keyEnd: number): void {
    this.range(bytes, start, measurementEnd(bytes, start, keyEnd));
    this.mix(typeMark(0));
  }

  field(bytes: Uint8Array, start: number, end: number, type: number): void {
    this.range(bytes, start, end);
    this.mix(typeMark(type));
  }

  get value(): number {
    return joinSums(this.sum1, this.sum2);
  }

  private range(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at += 1) this.mix(bytes[at] as number);
  }

  private mix(number: number): void {
    this.sum1 = Math.imul(this.sum1 ^ number, FACTOR_1);
    this.sum2 = Math.imul(this.sum2 ^ number, FACTOR_2);
  }
}
