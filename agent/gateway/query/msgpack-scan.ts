// Reads influxd's MessagePack as it streams in: where a document ends, and what is in it. Integers are bigint and floats are
// numbers, so that 1 and 1.0 stay different, which a general decoder does not promise. It refuses what influxd never sends.

/** Bytes of the length, or of the value, behind a type byte of 0xc0 to 0xdf; -1: the type does not exist. */
const SIZES = [
  0, -1, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17, 1, 2, 4, 2, 4, 2, 4,
] as const;

const BIN_8 = 0xc4;
const EXT_8 = 0xc7;
const EXT_32 = 0xc9;
const STR_8 = 0xd9;
const STR_32 = 0xdb;
const ARRAY_16 = 0xdc;
const MAP_16 = 0xde;

/** Finds where each document ends, in constant memory. */
export class DocumentScanner {
  /** Values that are still to come in this document. */
  private values = 1;
  /** Bytes of a value's content that are still to come. */
  private content = 0;
  private type = 0;
  /** Bytes of a length that are still to come, and what has come of it. */
  private lengthBytes = 0;
  private length = 0;

  /** The offset behind the document's end; -1 where it goes on behind this chunk. The next call begins the next document. */
  end(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length) {
      if (this.content > 0) {
        const step = Math.min(this.content, chunk.length - at);
        this.content -= step;
        at += step;
      } else if (this.lengthBytes > 0) {
        this.length = this.length * 256 + (chunk[at] ?? 0);
        at += 1;
        this.lengthBytes -= 1;
        if (this.lengthBytes === 0) this.open(this.type, this.length);
      } else {
        this.begin(chunk[at] ?? 0);
        at += 1;
      }
      if (this.values === 0 && this.content === 0 && this.lengthBytes === 0) {
        this.values = 1;
        return at;
      }
    }
    return -1;
  }

  private begin(type: number): void {
    this.values -= 1;
    if (type < 0x80 || type >= 0xe0) return;
    if (type < 0x90) this.values += (type & 15) * 2;
    else if (type < 0xa0) this.values += type & 15;
    else if (type < 0xc0) this.content = type & 31;
    else if (hasLength(type)) {
      this.type = type;
      this.length = 0;
      this.lengthBytes = sizeOf(type);
    } else this.content = sizeOf(type);
  }

  private open(type: number, length: number): void {
    if (type >= MAP_16) this.values += length * 2;
    else if (type >= ARRAY_16) this.values += length;
    // One byte of an extension is its type.
    else this.content = length + (type >= EXT_8 && type <= EXT_32 ? 1 : 0);
  }
}

function hasLength(type: number): boolean {
  return (type >= BIN_8 && type <= EXT_32) || type >= STR_8;
}

function sizeOf(type: number): number {
  const size = SIZES[type - 0xc0] ?? -1;
  if (size < 0) throw new RangeError(`0x${type.toString(16)} is no type of MessagePack`);
  return size;
}

export type Packed =
  | null
  | boolean
  | number
  | bigint
  | string
  | Buffer
  | readonly Packed[]
  | ReadonlyMap<string, Packed>;

/** The one document in `bytes`. Throws RangeError where it is none. */
export function unpack(bytes: Buffer): Packed {
  return new Unpacker(bytes).value();
}

class Unpacker {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  value(): Packed {
    const type = this.bytes.readUInt8(this.at);
    this.at += 1;
    if (type < 0x80) return BigInt(type);
    if (type >= 0xe0) return BigInt(type - 0x100);
    if (type < 0x90) return this.map(type & 15);
    if (type < 0xa0) return this.list(type & 15);
    if (type < 0xc0) return this.text(type & 31);
    return this.wide(type);
  }

  private wide(type: number): Packed {
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return type === 0xc3;
      case 0xca:
        return this.take(4).readFloatBE();
      case 0xcb:
        return this.take(8).readDoubleBE();
      case 0xcf:
        return this.take(8).readBigUInt64BE();
      case 0xd3:
        return this.take(8).readBigInt64BE();
      case 0xcc:
      case 0xcd:
      case 0xce:
        return BigInt(this.unsigned(sizeOf(type)));
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const size = sizeOf(type);
        return BigInt(this.take(size).readIntBE(0, size));
      }
      default:
        return this.sized(type);
    }
  }

  private sized(type: number): Packed {
    if (!hasLength(type)) return this.take(sizeOf(type));
    const length = this.unsigned(sizeOf(type));
    if (type >= MAP_16) return this.map(length);
    if (type >= ARRAY_16) return this.list(length);
    if (type >= STR_8 && type <= STR_32) return this.text(length);
    return this.take(length + (type >= EXT_8 ? 1 : 0));
  }

  private unsigned(size: number): number {
    return this.take(size).readUIntBE(0, size);
  }

  private take(length: number): Buffer {
    const end = this.at + length;
    if (end > this.bytes.length) throw new RangeError('the document ends too early');
    const taken = this.bytes.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  private text(length: number): string {
    return this.take(length).toString('utf8');
  }

  private list(length: number): Packed[] {
    const items: Packed[] = [];
    for (let index = 0; index < length; index += 1) items.push(this.value());
    return items;
  }

  private map(length: number): Map<string, Packed> {
    const entries = new Map<string, Packed>();
    for (let index = 0; index < length; index += 1) {
      const key = this.value();
      if (typeof key !== 'string') throw new RangeError('a key that is no text');
      entries.set(key, this.value());
    }
    return entries;
  }
}
