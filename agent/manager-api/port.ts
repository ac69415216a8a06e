// What the agent needs of the managers: the calls of the HTTP API, with expected outcomes as values.
import type { Marks } from '../../shared/meta/marks.js';
import type { VersionTag } from '../../shared/api/version-tag.js';

/** The newest snapshot of a cluster, as the manager answered it. */
export interface RemoteSnapshot {
  readonly tag: VersionTag;
  /** The body; empty where the cluster does not exist (version 0). */
  readonly bytes: Buffer;
  /** True where the manager said that its store went back in time (`X-Clusterflux-Lineage: forked`). */
  readonly forked: boolean;
}

export type ReadResult =
  | { readonly kind: 'snapshot'; readonly snapshot: RemoteSnapshot }
  /** 204: nothing newer within the wait. */
  | { readonly kind: 'unchanged' }
  /** 404 for a reader that has seen a version above 0: another incarnation, never an empty snapshot. */
  | { readonly kind: 'cluster-not-found' };

export type WriteResult =
  | { readonly kind: 'accepted'; readonly tag: VersionTag }
  /** 409 with a version: somebody else won; `newest` is what stands. */
  | { readonly kind: 'lost'; readonly newest: RemoteSnapshot }
  /** Every other 4xx: it will not be accepted as it is. */
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string };

export interface WriteRequest {
  /** The version that the writer last saw, 0 for none; its tag goes along as If-Match. */
  readonly seen: VersionTag | undefined;
  readonly bytes: Uint8Array;
  readonly idempotencyKey: string;
  readonly nodeId: number | undefined;
}

/** Throws AppError `manager-unreachable` after 5 attempts over all endpoints, `aborted`, `unauthorized`, `forbidden`. */
export interface ManagerApi {
  read(
    cluster: string,
    options: {
      readonly seen: VersionTag | undefined;
      readonly waitMs: number;
      readonly signal?: AbortSignal;
    },
  ): Promise<ReadResult>;
  marks(cluster: string, version: number, signal?: AbortSignal): Promise<Marks>;
  write(cluster: string, request: WriteRequest, signal?: AbortSignal): Promise<WriteResult>;
  /** What became of an earlier write: accepted with its version, or never accepted. */
  writeOutcome(
    cluster: string,
    idempotencyKey: string,
    signal?: AbortSignal,
  ): Promise<
    { readonly kind: 'accepted'; readonly tag: VersionTag } | { readonly kind: 'unknown-key' }
  >;
  /** What every endpoint that answers says of this cluster; asked before a change of incarnation is believed. */
  survey(cluster: string, signal?: AbortSignal): Promise<readonly EndpointAnswer[]>;
}

export interface EndpointAnswer {
  readonly endpoint: string;
  /** undefined: this manager does not know the cluster. */
  readonly incarnation: string | undefined;
}
