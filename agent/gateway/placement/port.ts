// What the data plane asks of the placement and of the registry: which group takes a point, who its owners are and where
// they are. Both are kept on disk, so that a node goes on by the last that it heard while no manager answers.
import type { Address } from '../../../shared/config/address.js';
import type { PlacedGroup, Placement } from '../../../shared/placement/model.js';

/** A time of a policy for which there has to be a group. */
export interface GroupWanted {
  readonly database: string;
  readonly policy: string;
  /** Nanoseconds since 1970; any time within the group. */
  readonly timeNs: bigint;
}

export interface PlacementView {
  /** The newest version heard of. Immutable: whoever works on one request takes it once. */
  readonly current: Placement;
  /** The group that takes points of that time now; undefined where there is none yet. Never a void or an adopted one. */
  writable(database: string, policy: string, timeNs: bigint): PlacedGroup | undefined;
  /** Every group that may hold points of [fromNs, toNs), adopted and cut ones too, of that policy; void ones never. */
  covering(database: string, policy: string, fromNs: bigint, toNs: bigint): readonly PlacedGroup[];
  /** Every group of a database that is not void. */
  ofDatabase(database: string): readonly PlacedGroup[];
  /**
   * Has the managers make the groups that are missing; resolves once `writable` finds them. Throws AppError `no-group`
   * (503, retryable) where no manager could be asked within the deadline or it refused.
   */
  ensure(wanted: readonly GroupWanted[], signal: AbortSignal): Promise<void>;
  /** Has at least that version, asking for it where needed (at most 2 s). False where it could not be had. */
  reach(version: number, signal: AbortSignal): Promise<boolean>;
  /** Records that a node may lack points of these groups; the answer is in `current` when it resolves. Throws `manager-unreachable`. */
  markIncomplete(
    node: number,
    groups: readonly number[],
    why: string,
    signal: AbortSignal,
  ): Promise<void>;
  /** Called after each new version. Returns what ends it. */
  onChange(listener: (placement: Placement) => void): () => void;
}

export interface ClusterNode {
  readonly id: number;
  readonly uid: string;
  /** Of its peer endpoint. */
  readonly address: Address;
  readonly hostname: string;
  /** By the registry: helps to choose whom to ask first, and who may be presumed gone by the judge of reads. */
  readonly isAlive: boolean;
  /** Nodes that hold hints for this one and could not tell it (the registry's flag). */
  readonly behind: readonly number[];
}

export interface NodeDirectory {
  /** This agent. `id` is undefined before the first registration. */
  readonly self: { readonly id: number | undefined; readonly uid: string };
  node(id: number): ClusterNode | undefined;
  byUid(uid: string): ClusterNode | undefined;
  /** All that are registered, this one included, by id. */
  all(): readonly ClusterNode[];
  /** Asks the managers for the newest list. False where none answered. */
  refresh(signal: AbortSignal): Promise<boolean>;
  /** When this list was asked for, by the monotonic clock; undefined: not since this agent was started. */
  readonly readBegunMs?: number | undefined;
  onChange(listener: () => void): () => void;
}
