// A batch on its way to one owner of one shard, and what can become of it: the same for this node and for a peer.
import type { Readable } from 'node:stream';
import type { Precision } from '../../../shared/influx/precision.js';

/** Points of one shard group and shard, as line protocol. */
export interface Batch {
  readonly database: string;
  readonly policy: string;
  /** Of the times in `body`. */
  readonly precision: Precision;
  /** Lines as the client sent them, separated by \n, each with a time. */
  readonly body: Buffer;
  readonly points: number;
  /** Ids in the placement. */
  readonly group: number;
  readonly shard: number;
  readonly databaseMark: number;
  readonly policyMark: number;
  /** What the sender worked by. */
  readonly placementVersion: number;
  readonly metadataVersion: number;
  /** The highest numbered delete that was known when the points were taken in. */
  readonly deletes: number;
  /** A hint that is replayed: older than what the owner may have got since. */
  readonly isHint: boolean;
}

export type ApplyOutcome =
  /** All of it is on the owner's disk. */
  | { readonly kind: 'applied' }
  /** Final: influxd refused lines (400); the rest of them is applied. `text` is influxd's error. */
  | { readonly kind: 'refused'; readonly text: string; readonly dropped: number }
  /** Final: database or policy is gone, or another one bears the name now. The points have nowhere to go. */
  | { readonly kind: 'gone'; readonly why: string }
  /** The receiver knows a newer placement or metadata: route again. Nothing was applied. */
  | { readonly kind: 'stale'; readonly placementVersion: number; readonly metadataVersion: number }
  /** A delete with a higher number was run there: take that number in, and send again. Nothing was applied. */
  | { readonly kind: 'deletes'; readonly deletes: number }
  /** It takes no direct writes until the hints for it are drained: make this one a hint. Nothing was applied. */
  | { readonly kind: 'catching-up' }
  /** More than influxd takes at once (413): send it in halves. */
  | { readonly kind: 'too-large' }
  /**
   * Passing: unreachable, 5xx, 401, timeouts. Whether it was applied may be unknown; sending it again is safe. `isHeld`: it got
   * there, was given up, and may be applied yet.
   */
  | { readonly kind: 'failed'; readonly why: string; readonly isHeld?: boolean };

/** Hands a batch to one owner: the local influxd, or a peer's agent. */
export interface BatchSender {
  /** `node`: a node id, this one included. Rejects only with AppError `aborted` at the signal. Its own deadline: 30 s. */
  send(node: number, batch: Batch, signal: AbortSignal): Promise<ApplyOutcome>;
}

/** One statement that reads, as influxd's /query takes it. */
export interface ReadQuery {
  /** Exactly one statement. */
  readonly statement: string;
  readonly database: string | undefined;
  readonly policy: string | undefined;
  /** As the client gave it; undefined: RFC 3339. */
  readonly epoch: string | undefined;
  readonly chunked: boolean;
  readonly chunkSize: number | undefined;
  readonly pretty: boolean;
  /** The client's Accept; decides the format. */
  readonly accept: string | undefined;
  /** JSON text of bound parameters. */
  readonly params: string | undefined;
  /** Ids of the groups that it reads, of which the node must be a complete owner that lacks nothing; empty: any node may answer. */
  readonly groups: readonly number[];
  readonly placementVersion: number;
  readonly metadataVersion: number;
  /** The highest numbered delete that the asker knows: the owner runs it first. */
  readonly deletes: number;
}

export type ReadOutcome =
  /** influxd answers; headers came, the body follows. An error event, or a body that breaks off, is a failed read. */
  | {
      readonly kind: 'opened';
      readonly status: number;
      readonly contentType: string;
      /** influxd's X-Influxdb-Error, where it sent one. */
      readonly error: string | undefined;
      readonly body: Readable;
    }
  /** It may lack points that it owns: ask another owner. */
  | { readonly kind: 'behind'; readonly why: string; readonly retryAfterMs: number }
  /** Unreachable, or its influxd is. */
  | { readonly kind: 'failed'; readonly why: string };

/** Runs reads on one node: the local influxd, or that of a peer. Nothing loops: a peer never passes a read on. */
export interface Reader {
  /** Rejects only with AppError `aborted`. The signal also ends a body under way. */
  read(node: number, query: ReadQuery, signal: AbortSignal): Promise<ReadOutcome>;
}

/** What is known of the backlog of owners: who may lack points. */
export interface BacklogNews {
  /**
   * Tells an owner that this node is about to hold a hint for it, or flags it in the registry; resolves when one of both is
   * done, or it is dead, or more than half of all nodes stand for it. Called before a write that made a hint is answered; at
   * once where it is known already. Rejects with AppError `isolated` (503, retryable) where none of that could be had.
   */
  announce(ownerUid: string, signal: AbortSignal): Promise<void>;
  /** All hints for it are delivered. */
  drained(ownerUid: string): void;
}
