// Where shard groups begin and end, as InfluxDB 1.6 cuts time (meta.Data.CreateShardGroup), and which times a point may have.

/** The times that influxd takes (models.MinNanoTime, MaxNanoTime): two and one off the ends of int64. */
export const MIN_TIME_NS = -(2n ** 63n) + 2n;
export const MAX_TIME_NS = 2n ** 63n - 2n;

/** From 0001-01-01T00:00:00Z, where Go's time begins and Truncate counts from, to 1970. */
const GO_ZERO_TO_EPOCH_NS = 62_135_596_800n * 1_000_000_000n;

/** [startNs, endNs) */
export interface GroupBounds {
  readonly startNs: bigint;
  readonly endNs: bigint;
}

/**
 * The start of the group that a time lies in: Go's Truncate. It can be below MIN_TIME_NS. A duration of 0 or less cuts
 * nothing, as in Go.
 */
export function groupStart(timeNs: bigint, shardDurationNs: bigint): bigint {
  if (shardDurationNs <= 0n) return timeNs;
  const rest = (timeNs + GO_ZERO_TO_EPOCH_NS) % shardDurationNs;
  // Before 0001 the remainder is negative; no point is there, but the floor is right all the same.
  return timeNs - (rest < 0n ? rest + shardDurationNs : rest);
}

/** The group that a time lies in. The last group of all ends right behind the last time that there is. */
export function groupBounds(timeNs: bigint, shardDurationNs: bigint): GroupBounds {
  const startNs = groupStart(timeNs, shardDurationNs);
  const endNs = startNs + shardDurationNs;
  return { startNs, endNs: endNs > MAX_TIME_NS ? MAX_TIME_NS + 1n : endNs };
}
