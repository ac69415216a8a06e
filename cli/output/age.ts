// Times as people read them in a table: how long ago.

/** `3s`, `5m`, `2h`, `4d` since an RFC 3339 time; the text itself where it is none, `-` for nothing. */
export function age(time: string | null | undefined, nowMs: number): string {
  if (time === null || time === undefined || time === '') return '-';
  const atMs = Date.parse(time);
  if (Number.isNaN(atMs)) return time;
  const seconds = Math.max(0, Math.floor((nowMs - atMs) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
