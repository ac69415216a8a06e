// What the planner takes and gives. No I/O, no clock of its own.
import type { Tombstone } from '../../shared/meta/marks.js';
import type { ObjectKey, Schema, SchemaObject } from '../../shared/meta/model.js';
import type { BaseEntry, GuardHold, Move, PushMove, RemoteSide } from './base.js';
import type { FieldConflict } from './decide.js';

export interface PlanInput {
  readonly entries: ReadonlyMap<ObjectKey, BaseEntry>;
  readonly local: Schema;
  readonly remote: Schema;
  readonly marks: ReadonlyMap<ObjectKey, number>;
  readonly tombstones: readonly Tombstone[];
  /** Local databases and policies that are provably others than the base's, though they bear the name. */
  readonly recreated: ReadonlySet<ObjectKey>;
  /** Why a local drop can't be believed yet; undefined where it is proven (docs/sync.md, "Proof"). */
  readonly whyUnproven: (key: ObjectKey) => string | undefined;
  readonly isJoining: boolean;
  /** `pull`: local-only objects of a joining node stay local. */
  readonly joinPolicy: 'merge' | 'pull';
  /** True where this node was away for longer than tombstones are kept. */
  readonly wasAwayTooLong: boolean;
  /** sync.include and sync.exclude; hidden databases are absent on neither side. */
  readonly isShared: (database: string) => boolean;
  /** The account that the agent itself uses; never dropped. */
  readonly ownUser: string | undefined;
  readonly mode: { readonly push: boolean; readonly pull: boolean };
  readonly nowMs: number;
  /** First looked at after a gap (a start, a join): drops and shorter durations are not proven, and the guard counts them. */
  readonly isAfterGap: boolean;
  /** Changes that the guard stops now (guarded-plan.ts). */
  readonly guarded: ReadonlySet<ObjectKey>;
}

/** A change that the guard counts. */
export interface GuardedChange extends GuardHold {
  readonly key: ObjectKey;
}

/** One change of the local influxd. */
export type Apply =
  | {
      readonly kind: 'create';
      readonly key: ObjectKey;
      readonly target: SchemaObject;
      readonly remote: RemoteSide;
    }
  | {
      readonly kind: 'alter';
      readonly key: ObjectKey;
      readonly before: SchemaObject;
      readonly target: SchemaObject;
      /** The fields that differ, all of them taken from the cluster. */
      readonly fields: readonly string[];
      readonly remote: RemoteSide;
      readonly base: BaseEntry;
    }
  | {
      readonly kind: 'drop';
      readonly key: ObjectKey;
      readonly before: SchemaObject;
      /** What the base becomes; `remote` stays where a creation follows. */
      readonly entry: BaseEntry | undefined;
    };

export interface PlannedPush {
  /** The whole merged schema. */
  readonly schema: Schema;
  readonly moves: readonly PushMove[];
  readonly changed: readonly ObjectKey[];
}

export interface PlannedPending {
  readonly key: ObjectKey;
  readonly reason: string;
  readonly remedy: string;
  /** As of a PendingItem. */
  readonly needsOffline?: true;
}

export interface Plan {
  /** Base moves that need nothing else. */
  readonly moves: readonly Move[];
  readonly push: PlannedPush | undefined;
  /** In the order in which they are to be made. */
  readonly applies: readonly Apply[];
  readonly conflicts: readonly (FieldConflict & { readonly key: ObjectKey })[];
  readonly pending: readonly PlannedPending[];
  /** What goes through now and is not proven. */
  readonly unproven: readonly GuardedChange[];
  /** Something was forgotten and has to be looked at afresh, at once. */
  readonly isAgainOwed: boolean;
}
