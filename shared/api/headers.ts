// Header names and content types of the manager's API, for both sides of it.

/** The version of the snapshot in the body; 0 where the cluster does not exist. */
export const VERSION_HEADER = 'x-clusterflux-version';
/** UUID made with the cluster, and made anew when its store went back in time. */
export const INCARNATION_HEADER = 'x-clusterflux-incarnation';
/** SHA-256, hex, over the digest before it and the content. */
export const DIGEST_HEADER = 'x-clusterflux-digest';
/** `forked`: the version that the caller knows is not in this cluster's line; it joins anew. */
export const LINEAGE_HEADER = 'x-clusterflux-lineage';
export const FORKED = 'forked';
/** Request: the full name (ETag form) of the version that a reader last saw. */
export const KNOWN_HEADER = 'x-clusterflux-known';
/** Request: the id of the node that writes. */
export const NODE_HEADER = 'x-clusterflux-node';
/** Request: the session of the agent that asks, once it has registered; proves for which node it may act. */
export const SESSION_HEADER = 'x-clusterflux-session';
/** Request: the digest of the unproven drops that a person approved for this write. */
export const APPROVE_HEADER = 'x-clusterflux-approve';
/** Request: one write, however often it is sent. */
export const IDEMPOTENCY_HEADER = 'idempotency-key';
export const REQUEST_ID_HEADER = 'x-request-id';

/** What a snapshot is answered as. */
export const SNAPSHOT_TYPE = 'application/x-protobuf';
export const PROBLEM_TYPE = 'application/problem+json';
