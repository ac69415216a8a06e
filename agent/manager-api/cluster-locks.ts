// The locks of a cluster and the list of its nodes, as an agent asks the managers for them: port and HTTP client. What a lock
// is good for is its user's.
import { lockAnswerSchema, lockHeldSchema } from '../../shared/api/locks.js';
import { encodeName } from '../../shared/api/names.js';
import type { NodeBody } from '../../shared/api/nodes.js';
import { nodeListSchema } from '../../shared/api/nodes.js';
import { expectJson, refusal } from './answers.js';
import { judge } from './http-manager-api.js';
import type { ManagerClient } from './manager-client.js';

/** Who wants a lock, and for how long without a renewal. Whole seconds on the wire. */
export interface LockRequest {
  readonly name: string;
  /** The uid of this agent: the same holder again renews. */
  readonly holder: string;
  readonly ttlMs: number;
}

export type LockOutcome =
  /** `fence` stays the same as long as the lock was held without a gap. */
  | { readonly kind: 'held'; readonly fence: number }
  | { readonly kind: 'taken'; readonly holder: string; readonly expiresInMs: number };

/** Throws AppError `manager-unreachable`, `manager-invalid`, `aborted`, or what a manager refused with. */
export interface ClusterLocks {
  /** Takes it, or renews it. */
  acquire(cluster: string, request: LockRequest, signal?: AbortSignal): Promise<LockOutcome>;
  /** Also where this holder does not have it. */
  release(
    cluster: string,
    request: Pick<LockRequest, 'name' | 'holder'>,
    signal?: AbortSignal,
  ): Promise<void>;
  /** All registered nodes, linearizable. */
  members(cluster: string, signal?: AbortSignal): Promise<readonly NodeBody[]>;
}

/** A lock is a small transaction; whoever can't have it soon has to do without. */
const LOCK_DEADLINE_MS = 3_000;

export function createHttpClusterLocks(client: ManagerClient): ClusterLocks {
  const pathOf = (cluster: string, name: string) =>
    `/clusters/${encodeName(cluster)}/lock/${encodeName(name)}`;
  return {
    async acquire(cluster, { name, holder, ttlMs }, signal) {
      const answer = await client.call({
        method: 'PUT',
        path: pathOf(cluster, name),
        body: { holder, ttl: Math.ceil(ttlMs / 1000) },
        deadlineMs: LOCK_DEADLINE_MS,
        signal,
      });
      return judge(client, answer, () => {
        if (answer.status === 200) {
          return { kind: 'held', fence: expectJson(answer, lockAnswerSchema).fence };
        }
        const held = lockHeldSchema.safeParse(jsonOf(answer.body));
        if (answer.status === 409 && held.success) {
          const { holder: other, 'expires-in-ms': expiresInMs } = held.data;
          return { kind: 'taken', holder: other, expiresInMs };
        }
        throw refusal(`taking the lock ${name} of cluster ${cluster}`, answer);
      });
    },

    async release(cluster, { name, holder }, signal) {
      const answer = await client.call({
        method: 'DELETE',
        path: pathOf(cluster, name),
        body: { holder },
        deadlineMs: LOCK_DEADLINE_MS,
        signal,
      });
      judge(client, answer, () => {
        if (answer.status !== 204) {
          throw refusal(`releasing the lock ${name} of cluster ${cluster}`, answer);
        }
      });
    },

    async members(cluster, signal) {
      const answer = await client.call({
        method: 'GET',
        path: `/nodes/${encodeName(cluster)}`,
        deadlineMs: LOCK_DEADLINE_MS,
        signal,
      });
      return judge(client, answer, () => {
        if (answer.status === 200) return expectJson(answer, nodeListSchema);
        throw refusal(`listing the nodes of cluster ${cluster}`, answer);
      });
    },
  };
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // No problem of a manager: the caller says whose answer it was.
    return undefined;
  }
}
