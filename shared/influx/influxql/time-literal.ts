// Times that InfluxQL has as strings: '2026-01-02', '2026-01-02 03:04:05.678', '2026-01-02T03:04:05.678Z'.

const TIME =
  /^(\d{4})-(\d\d)-(\d\d)(?:([ T])(\d{1,2}):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?)?$/;
const NS_PER_MS = 1_000_000n;
const NS_PER_MINUTE = 60_000_000_000n;
const FRACTION_DIGITS = 9;

/** `hasZone`: says itself of which zone it is; where not, it is of that of tz(), or UTC, for which `ns` stands. */
export interface TimeLiteral {
  readonly ns: bigint;
  readonly hasZone: boolean;
}

/** Undefined for what influxd takes for no time. */
export function parseTimeLiteral(text: string): TimeLiteral | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [
    ,
    year,
    month,
    day,
    separator,
    hour = '0',
    minute = '0',
    second = '0',
    fraction = '',
    zone,
  ] = match;
  // A blank goes without a zone, a T with one.
  if (separator !== undefined && (separator === 'T') !== (zone !== undefined)) return undefined;
  const fields = [
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
  ] as const;
  const ms = utcMs(...fields, Number(second));
  if (ms === undefined) return undefined;
  const ns = BigInt(ms) * NS_PER_MS + BigInt(fraction.padEnd(FRACTION_DIGITS, '0'));
  return { ns: ns - offsetNs(zone), hasZone: zone !== undefined };
}

/** As influxd reads it back, wherever it reads it. */
export function formatTimeLiteral(ns: bigint): string {
  const whole = ns / 1_000_000_000n - (ns % 1_000_000_000n < 0n ? 1n : 0n);
  const fraction = (ns - whole * 1_000_000_000n).toString().padStart(FRACTION_DIGITS, '0');
  return `'${new Date(Number(whole) * 1000).toISOString().slice(0, 19)}.${fraction}Z'`;
}

/** Undefined where a field is out of its range, such as the 31st of a shorter month. */
function utcMs(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number | undefined {
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  date.setUTCHours(hour, minute, second, 0);
  const isSame =
    date.getUTCMonth() === month &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  return isSame ? date.getTime() : undefined;
}

function offsetNs(zone: string | undefined): bigint {
  if (zone === undefined || zone === 'Z') return 0n;
  const minutes = BigInt(zone.slice(1, 3)) * 60n + BigInt(zone.slice(4));
  return (zone.startsWith('-') ? -minutes : minutes) * NS_PER_MINUTE;
}
