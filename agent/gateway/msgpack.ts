// The few forms of MessagePack that the gateway writes by itself, chosen as influxd's encoder chooses them.

/** `{"error": …}`: what a refused request is answered. */
export function packedError(error: string): Buffer {
  return Buffer.concat([Buffer.from([0x81]), text('error'), text(error)]);
}

export function integer(value: bigint): Buffer {
  if (value >= -32n && value < 128n) return Buffer.from([Number(BigInt.asUintN(8, value))]);
  const sizes = [
    [0xd0, 1],
    [0xd1, 2],
    [0xd2, 4],
  ] as const;
  for (const [type, size] of sizes) {
    if (BigInt.asIntN(size * 8, value) !== value) continue;
    const bytes = Buffer.alloc(size + 1, type);
    bytes.writeIntBE(Number(value), 1, size);
    return bytes;
  }
  const bytes = Buffer.alloc(9, 0xd3);
  bytes.writeBigInt64BE(value, 1);
  return bytes;
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([sized(bytes.length, 0xa0, 32, [0xd9, 0xda, 0xdb]), bytes]);
}

export function list(length: number): Buffer {
  return sized(length, 0x90, 16, [undefined, 0xdc, 0xdd]);
}

/** A length in the shortest of its forms: within the type byte, or in one, two or four bytes behind it. */
function sized(
  length: number,
  fixed: number,
  fixedBelow: number,
  [one, two, four]: readonly [number | undefined, number, number],
): Buffer {
  if (length < fixedBelow) return Buffer.from([fixed | length]);
  if (one !== undefined && length < 0x100) return Buffer.from([one, length]);
  const size = length < 0x1_0000 ? 2 : 4;
  const bytes = Buffer.alloc(size + 1, size === 2 ? two : four);
  bytes.writeUIntBE(length, 1, size);
  return bytes;
}
