// The order of keys: by the bytes of their UTF-8 form, as etcd sorts them. JavaScript's own string order differs above U+FFFF.

/** Negative, zero or positive as `a` comes before, is, or comes after `b`. */
export function compareKeys(a: string, b: string): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) {
    const unitA = a.charCodeAt(i);
    const unitB = b.charCodeAt(i);
    if (unitA !== unitB) return codePointRank(unitA) - codePointRank(unitB);
  }
  return a.length - b.length;
}

/** UTF-8 sorts by code point: a surrogate (a code point above U+FFFF) comes after every other unit. */
function codePointRank(unit: number): number {
  const isSurrogate = unit >= 0xd800 && unit <= 0xdfff;
  return isSurrogate ? unit + 0x10000 : unit;
}

/**
 * The end (exclusive) of the range of all keys that begin with `prefix`: the prefix with its last byte raised by one, after
 * dropping trailing 0xFF bytes. A single zero byte means "to the end of all keys", as in etcd.
 */
export function prefixEnd(prefix: string): Buffer {
  const bytes = Buffer.from(prefix);
  for (let i = bytes.length - 1; i >= 0; i--) {
    const byte = bytes.readUInt8(i);
    if (byte < 0xff) {
      const end = Buffer.from(bytes.subarray(0, i + 1));
      end.writeUInt8(byte + 1, i);
      return end;
    }
  }
  return Buffer.from([0]);
}
