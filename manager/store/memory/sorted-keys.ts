// A set of keys in byte order: a sorted array with binary search. Enough for the sizes of a registry (about 100,000 keys).
import { compareKeys } from '../key-order.js';

export class SortedKeys {
  private readonly keys: string[] = [];

  add(key: string): void {
    const at = this.lowerBound(key);
    if (this.keys[at] !== key) this.keys.splice(at, 0, key);
  }

  remove(key: string): void {
    const at = this.lowerBound(key);
    if (this.keys[at] === key) this.keys.splice(at, 1);
  }

  /** The keys that begin with `prefix` and come after `after`, in byte order or against it. */
  *withPrefix(prefix: string, after?: string, descending = false): Generator<string> {
    const first = after === undefined || compareKeys(after, prefix) < 0 ? prefix : after;
    const start = this.lowerBound(first);
    if (!descending) {
      for (let i = start; i < this.keys.length; i++) {
        const key = this.keys[i];
        if (!key?.startsWith(prefix)) return;
        if (key !== after) yield key;
      }
      return;
    }
    for (let i = this.endOfPrefix(prefix, start) - 1; i >= start; i--) {
      const key = this.keys[i];
      if (key !== undefined && key !== after) yield key;
    }
  }

  /** Index of the first key that is not below `key`. */
  private lowerBound(key: string): number {
    return this.firstIndex(0, (candidate) => compareKeys(candidate, key) >= 0);
  }

  /** Index after the last key with the prefix; everything from `start` on is at or above the prefix. */
  private endOfPrefix(prefix: string, start: number): number {
    return this.firstIndex(start, (candidate) => !candidate.startsWith(prefix));
  }

  /** Binary search for the first index from `low` on where `matches` holds (it holds for all that follow). */
  private firstIndex(low: number, matches: (key: string) => boolean): number {
    let high = this.keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (matches(this.keys[middle] ?? '')) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
