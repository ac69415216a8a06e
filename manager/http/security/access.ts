// What a route asks of its callers. Each route says it in its `config.access`; one that says nothing is refused to everybody
// where callers are asked who they are (callers.ts), so that nobody can forget it.
import { AppError } from '../../../shared/errors/app-error.js';
import type { Role } from '../../../shared/security/tokens.js';

/** Which node a caller of the role agent must prove to be, by the session that it was last registered with. */
export type SessionOf =
  /** The node of the path, `:id`. */
  | 'path'
  /** The node of the header `X-Clusterflux-Node`, where that is there. */
  | 'header'
  /** The node of the body's `node`. */
  | 'body'
  /** The route compares the body's own `session` with the node's, so it must be there. */
  | 'heartbeat'
  /** The node whose uid is `holder`, in the body or the query. */
  | 'holder'
  /** The node of the path, `:holder`. */
  | 'holder-path';

export interface Restricted {
  readonly roles: readonly Role[];
  /** Absent: any caller of these roles. */
  readonly session?: SessionOf;
  /**
   * Where the cluster stands that a caller must be allowed: in the path (`:cluster`, the usual), in the query (`?cluster=`,
   * where absent the caller's own), or nowhere: the handler shows each caller only its own cluster.
   */
  readonly cluster?: 'path' | 'query' | 'filtered' | 'none';
}

export type Access = 'open' | Restricted;

/** Needs no token: what probes and load balancers ask. It must tell nothing about any cluster. */
export const OPEN: Access = 'open';
/** Reading one cluster. */
export const READ: Restricted = { roles: ['viewer', 'agent', 'operator'] };
/** What an agent does all the time, for its cluster. */
export const WORK: Restricted = { roles: ['agent', 'operator'] };
/** What a person decides. */
export const OPERATE: Restricted = { roles: ['operator'] };
/** About this manager, not about a cluster. */
export const WATCH: Restricted = { roles: ['viewer', 'operator'], cluster: 'none' };

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
}

/** The refusal of a caller that is known and may not do this; `detail` says what it would need. */
export function forbidden(detail: string): AppError {
  return new AppError('forbidden', detail, { status: 403 });
}
