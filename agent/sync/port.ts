// What the reconciler offers to the rest of the agent: one tick at a time, and a report of what it did.
import type { ObjectKey } from '../../shared/meta/model.js';

/** A difference that can't be applied now; it is tried again and holds up nothing else. */
export interface PendingItem {
  readonly object: ObjectKey;
  /** In words, e.g. `user alice: a password hash can't be set by a statement`. */
  readonly reason: string;
  /** What a person may do about it; empty where it goes by itself. */
  readonly remedy: string;
  /** No statement brings it about; writing meta.db while influxd is stopped does. */
  readonly needsOffline?: true;
}

/** Something that waits for a person's decision. */
export interface HeldItem {
  /** Short and stable: the first digits of a digest over object and reason. */
  readonly id: string;
  readonly object: ObjectKey;
  /** `join`: only here, on a server that joined. `guard`: a change that lost too much to pass by itself. */
  readonly kind: 'join' | 'guard';
  readonly why: string;
  /** What decides it. */
  readonly command: string;
}

/** What other people should know of, for the cluster's list of events. Never hashes or credentials. */
export interface SyncEvent {
  readonly kind: 'join' | 'conflict' | 'hold' | 'guard' | 'hold-decided';
  readonly text: string;
  readonly before?: unknown;
  readonly after?: unknown;
  /** The same key again tells of the same thing. */
  readonly key?: string;
}

/** A step that was (or, in a dry run, would be) taken, as one line for people and logs. */
export interface StepTaken {
  readonly object: ObjectKey | undefined;
  readonly direction: 'push' | 'apply' | 'note';
  readonly text: string;
  /** Of a dry run: as of a PendingItem. */
  readonly needsOffline?: true;
}

export type TickOutcome = 'no-action' | 'changed' | 'waiting' | 'paused' | 'blocked' | 'failed';

export interface TickReport {
  readonly outcome: TickOutcome;
  /** One sentence: what the agent is and what it just did. Logged when it changes; shown by `/status`. */
  readonly sentence: string;
  /** The cluster's version that was compared with, 0 for none. */
  readonly version: number;
  /** True where nothing is left to do but what is pending or held. */
  readonly inStep: boolean;
  readonly pending: readonly PendingItem[];
  readonly held: readonly HeldItem[];
  readonly steps: readonly StepTaken[];
  /** Another node wrote the version that this one wanted to write. */
  readonly isLostSwap?: true;
}

/** What one tick may do: both directions by default. */
export interface TickMode {
  readonly push: boolean;
  readonly pull: boolean;
  readonly dryRun: boolean;
  /** Apply by writing meta.db, influxd being stopped; else by statements. */
  readonly offline: boolean;
}

export const LIVE_MODE: TickMode = { push: true, pull: true, dryRun: false, offline: false };

export interface Reconciler {
  /** One tick; never two at once (a second call waits for the first). Expected trouble ends in the report, not in a throw. */
  tick(mode: TickMode, signal: AbortSignal): Promise<TickReport>;
  /** The last report, undefined before the first tick ended. */
  readonly lastReport: TickReport | undefined;
  /** When something that influxd refused may be tried again (ms, own clock); undefined where nothing waits for that. */
  readonly nextDueMs: number | undefined;
}
