// Durations as InfluxQL writes them: 1w2d3h4m5s6ms7u8ns, without blanks and fractions. A minus comes only with a parameter.

/** Units with their nanoseconds, largest first: what a duration is printed in. */
export const DURATION_UNITS: readonly (readonly [unit: string, ns: bigint])[] = [
  ['w', 604_800_000_000_000n],
  ['d', 86_400_000_000_000n],
  ['h', 3_600_000_000_000n],
  ['m', 60_000_000_000n],
  ['s', 1_000_000_000n],
  ['ms', 1_000_000n],
  ['u', 1_000n],
];

const NS_PER_UNIT: Readonly<Record<string, bigint>> = {
  ...Object.fromEntries(DURATION_UNITS),
  ns: 1n,
  µ: 1_000n,
};

const INT64_MAX = 2n ** 63n - 1n;
const INT64_BITS = 64;

/** Nanoseconds; undefined for what influxd takes for no duration (an overflow that wraps back to a positive number is one). */
export function parseDuration(text: string): bigint | undefined {
  if (text.startsWith('-')) {
    const ns = parseDuration(text.slice(1).replace(/^-/, 'x'));
    return ns === undefined ? undefined : -ns;
  }
  const parts = /(\d+)(ns|ms|[uµsmhdw])/y;
  let total = 0n;
  let end = 0;
  for (let part = parts.exec(text); part !== null; part = parts.exec(text)) {
    const count = BigInt(part[1] ?? '');
    if (count > INT64_MAX) return undefined;
    total = BigInt.asIntN(INT64_BITS, total + count * (NS_PER_UNIT[part[2] ?? ''] ?? 0n));
    end = parts.lastIndex;
  }
  return end === 0 || end !== text.length || total < 0n ? undefined : total;
}
