// Percentiles of measured times. Pure.

/** The value below which a share of the values lies (nearest rank); NaN where there is none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.ceil(share * sorted.length);
  return sorted[Math.max(0, rank - 1)] ?? NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** `12.3 ms`; whole milliseconds from 100 on. */
export function ms(value: number): string {
  return `${value.toFixed(value < 100 ? 1 : 0)} ms`;
}

/** p50, p99 and the largest, in ms. */
export function spread(values: readonly number[]): string {
  const [p50, p99, most] = [0.5, 0.99, 1].map((share) => ms(percentile(values, share)));
  return `p50 ${p50}, p99 ${p99}, max ${most}`;
}
