// Instants as nanoseconds since 1970 (bigint), and as the text that wires and people see: RFC 3339 with up to nine fraction
// digits. It refuses what Date would repair, such as February 30th.

const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;
const MS_PER_MINUTE = 60_000;

/** 0001-01-01T00:00:00Z and the last nanosecond of the year 9999: what four digits of a year can say. */
export const FIRST_TEXT_NS = -62_135_596_800_000_000_000n;
export const LAST_TEXT_NS = 253_402_300_799_999_999_999n;

/** Groups: year, month, day, hour, minute, second, fraction, Z or offset. */
const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** In UTC, trailing zeros of the fraction cut: `2026-03-01T00:00:00.5Z`. Throws RangeError outside of the years 0001 to 9999. */
export function formatTime(ns: bigint): string {
  if (ns < FIRST_TEXT_NS || ns > LAST_TEXT_NS) {
    throw new RangeError(`${ns.toString()} ns is outside of the years 0001 to 9999`);
  }
  const fractionNs = ((ns % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  const whole = new Date(Number((ns - fractionNs) / NS_PER_MS)).toISOString().slice(0, 19);
  if (fractionNs === 0n) return `${whole}Z`;
  return `${whole}.${fractionNs.toString().padStart(9, '0').replace(/0+$/, '')}Z`;
}

/**
 * The instant of an RFC 3339 text of the years 0001 to 9999, in UTC or with an offset; undefined for anything else. It may
 * lie outside of what an int64 of nanoseconds holds: a group's start can.
 */
export function parseTime(text: string): bigint | undefined {
  const match = RFC_3339.exec(text);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (year === 0 || hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(0);
  // Date.UTC would take the years 0 to 99 for those of the 20th century.
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, second);
  const ms = date.getTime() - offsetMs(match[8] as string);
  const ns = BigInt(ms) * NS_PER_MS + BigInt((match[7] ?? '').padEnd(9, '0'));
  return ns < FIRST_TEXT_NS || ns > LAST_TEXT_NS ? undefined : ns;
}

function offsetMs(zone: string): number {
  if (zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return (zone.startsWith('-') ? -minutes : minutes) * MS_PER_MINUTE;
}
