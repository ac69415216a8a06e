// The precisions of InfluxDB 1.x's /write, and how many nanoseconds one unit has.

/** As the parameter `precision` has them after reading: `ns` and '' are `n`. */
export type Precision = 'n' | 'u' | 'ms' | 's' | 'm' | 'h';

export const NS_PER_UNIT: Readonly<Record<Precision, bigint>> = {
  n: 1n,
  u: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Undefined for what influxd has no name for. */
export function parsePrecision(text: string | undefined): Precision | undefined {
  switch (text) {
    case undefined:
    case '':
    case 'n':
    case 'ns':
      return 'n';
    case 'u':
    case 'ms':
    case 's':
    case 'm':
    case 'h':
      return text;
    default:
      return undefined;
  }
}
