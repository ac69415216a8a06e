// The placement as everybody sees it: which nodes keep which shard of which shard group. Pure types; times are nanoseconds
// since 1970 as bigint, because int64 nanoseconds do not fit a number.

/** A node that keeps a replica of a shard. */
export interface Owner {
  /** Node id. */
  readonly node: number;
  /** Set where it lacks points that other owners have, or may lack them: it answers no reads until it is made whole. */
  readonly incomplete?: Incomplete;
  /** RFC 3339: since then the older of two values may stand for one series and time (see docs/data.md). */
  readonly orderUnsureSince?: string;
}

export interface Incomplete {
  /** RFC 3339, the manager's clock. */
  readonly since: string;
  /** One sentence. */
  readonly why: string;
}

/** One hash bucket of a group. The id is the cluster's; each influxd has its own number for it. */
export interface PlacedShard {
  readonly id: number;
  readonly owners: readonly Owner[];
}

/** An end that was announced to all members, so that writes move to another group without a gap. */
export interface Cut {
  readonly atNs: bigint;
  /** Members that have confirmed it. */
  readonly confirmed: readonly number[];
  /** All members have confirmed: points from `atNs` on belong to a later group. */
  readonly counts: boolean;
}

/** One time range of one retention policy. Its shards never change their order: it is the modulus order. */
export interface PlacedGroup {
  readonly id: number;
  readonly database: string;
  readonly policy: string;
  /** Marks of the database and policy that it belongs to; with other marks it is void (see shared/meta/marks.ts). */
  readonly databaseMark: number;
  readonly policyMark: number;
  readonly startNs: bigint;
  /** Exclusive. */
  readonly endNs: bigint;
  readonly cut?: Cut;
  /** Came with a server that joined with data: never written, only read. */
  readonly isAdopted?: boolean;
  readonly shards: readonly PlacedShard[];
}

/** One version of a cluster's placement. */
export interface Placement {
  /** 0: there is none yet. */
  readonly version: number;
  readonly incarnation: string;
  /** Ids of the nodes that count, ascending. */
  readonly members: readonly number[];
  /** Number of the newest numbered delete; 0: none. */
  readonly deletes: number;
  readonly groups: readonly PlacedGroup[];
}

export const NO_PLACEMENT: Placement = {
  version: 0,
  incarnation: '',
  members: [],
  deletes: 0,
  groups: [],
};
