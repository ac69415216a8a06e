// Asks every caller who it is, before its body is read, and whether its role may do what the route does (access.ts).
// What a caller may not do is refused with the role that it would need; a token is never logged and never answered.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { APPROVE_HEADER, SNAPSHOT_TYPE } from '../../../shared/api/headers.js';
import { AppError, isAppError } from '../../../shared/errors/app-error.js';
import type { Logger } from '../../../shared/log/logger.js';
import type { Role, Tokens } from '../../../shared/security/tokens.js';
import type { ClusterViews } from '../../metadata/cluster-views.js';
import type { ManagerMetrics } from '../../metrics.js';
import type { Sessions } from '../../nodes/sessions.js';
import type { App } from '../app.js';
import { forbidden, type Access, type Restricted } from './access.js';
import type { AuthFailures } from './auth-failures.js';
import { checkNamesSession, checkSession } from './own-node.js';

/** Who a request is from. */
export interface Caller {
  readonly role: Role;
  /** The only cluster that it is let at; undefined: all. */
  readonly cluster: string | undefined;
  /** For records of what people did, e.g. `operator 3f2a9c1d`; undefined where nobody was asked. */
  readonly name: string | undefined;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route with what it asks of its callers; undefined: it does not say. */
    readonly routeAccess: readonly RouteAccess[];
  }
  interface FastifyRequest {
    /** Undefined on open routes, where nobody was asked. */
    caller: Caller | undefined;
  }
}

export interface CallersDeps {
  /** The tokens as they are now; undefined: no tokens are asked for, and whoever connects may do everything. */
  readonly tokens: (() => Tokens) | undefined;
  readonly failures: AuthFailures;
  readonly sessions: Sessions;
  readonly views: ClusterViews;
  readonly metrics: Pick<ManagerMetrics, 'tokens' | 'refusals'>;
  readonly logger: Logger;
  readonly stop: AbortSignal;
}

/** Without tokens: loopback, a verified client certificate, or `manager.insecure` have let the caller in. */
const EVERYTHING: Caller = { role: 'operator', cluster: undefined, name: undefined };

/** Unknown paths are told to those who have a token, whatever its role. */
const UNKNOWN_PATH: Restricted = { roles: ['viewer', 'agent', 'operator'], cluster: 'none' };

const BEARER = /^Bearer +(\S+) *$/i;

export interface RouteAccess {
  readonly method: string;
  readonly url: string;
  readonly access: Access | undefined;
}

/** Called before the routes are added. */
export function askCallers(app: App, deps: CallersDeps): void {
  const routeAccess: RouteAccess[] = [];
  app.decorate('routeAccess', routeAccess);
  app.addHook('onRoute', ({ method, url, config }) => {
    for (const each of [method].flat())
      routeAccess.push({ method: each, url, access: config?.access });
  });
  app.decorateRequest('caller', undefined);
  app.addHook('onRequest', async (request, reply) => {
    await admit(request, reply, deps);
  });
  app.addHook('onError', (_request, _reply, error, done) => {
    if (isAppError(error, 'unauthorized', 'forbidden', 'rate-limited')) {
      deps.metrics.refusals.inc({ reason: error.code });
    }
    done();
  });
  // The body is there only now; what stands in path and headers was checked before it was read.
  app.addHook('preHandler', async (request) => {
    const { access } = request.routeOptions.config;
    if (access === undefined || access === 'open') return;
    if (access.session === 'body' || access.session === 'holder') {
      await checkSession(request, access.session, deps);
    } else if (access.session === 'heartbeat') checkNamesSession(request);
  });
}

/** As whom a person's work is recorded; empty where nobody was asked, and for agents, who name their node. */
export function personOf({ caller }: FastifyRequest): { user?: string } {
  return caller?.name === undefined || caller.role === 'agent' ? {} : { user: caller.name };
}

/**
 * Whether a snapshot may be answered as bytes, password hashes included. A viewer gets the decoded form with masks.
 * Throws AppError `forbidden` for a viewer who takes nothing but the bytes.
 */
export function maySeeHashes({ caller, headers }: FastifyRequest): boolean {
  if (caller?.role !== 'viewer') return true;
  if (headers.accept?.trim() !== SNAPSHOT_TYPE) return false;
  throw forbidden(
    'the bytes of a snapshot hold password hashes and need a token of the role agent or operator; ask for application/json',
  );
}

/** The only cluster whose things a caller may see in a list; undefined: all. */
export function visibleCluster(request: FastifyRequest): string | undefined {
  return request.caller?.cluster;
}

async function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: CallersDeps,
): Promise<void> {
  const access: Access | undefined = request.is404
    ? UNKNOWN_PATH
    : request.routeOptions.config.access;
  if (access === 'open') return;
  const caller =
    deps.tokens === undefined ? EVERYTHING : identify(request, reply, deps, deps.tokens());
  request.caller = caller;
  if (caller === EVERYTHING) return;
  if (caller.name !== undefined) deps.metrics.tokens.inc({ token: caller.name });
  if (access === undefined) {
    throw forbidden(
      `${routeOf(request)} does not say who may call it, so nobody may; this is a mistake of the program`,
    );
  }
  if (!access.roles.includes(caller.role)) {
    throw forbidden(
      `${routeOf(request)} needs a token of the role ${access.roles.join(' or ')}, and this one is of the role ${caller.role}`,
    );
  }
  if (caller.role === 'agent' && request.headers[APPROVE_HEADER] !== undefined) {
    throw forbidden(`approving drops (${APPROVE_HEADER}) needs a token of the role operator`);
  }
  checkCluster(request, access, caller);
  const { session } = access;
  if (session === 'path' || session === 'header' || session === 'holder-path') {
    await checkSession(request, session, deps);
  }
}

/** Throws AppError `unauthorized` (401), `rate-limited` (429). */
function identify(
  request: FastifyRequest,
  reply: FastifyReply,
  { failures, logger }: CallersDeps,
  tokens: Tokens,
): Caller {
  const header = request.headers.authorization;
  if (header === undefined) {
    void reply.header('www-authenticate', 'Bearer realm="clusterflux"');
    throw unauthorized('this manager asks for a token: send it as "Authorization: Bearer TOKEN"');
  }
  const text = BEARER.exec(header)?.[1];
  const token = text === undefined ? undefined : tokens.find(text);
  const verdict = failures.judge(request.ip, token?.name);
  if (verdict.kind === 'ok' && token !== undefined) return token;
  if (verdict.kind === 'limited') {
    throw new AppError(
      'rate-limited',
      'too many wrong tokens came from this address within a minute (manager.max-auth-failures); correct the token, and try again later',
      { status: 429, retryable: true, retryAfterSeconds: verdict.retryAfterSeconds },
    );
  }
  if (verdict.kind === 'failed' && verdict.isFirst) {
    logger.warn('refused a token that no line of manager.token-file has', {
      target: request.ip,
      requestId: request.id,
    });
  }
  void reply.header('www-authenticate', 'Bearer realm="clusterflux", error="invalid_token"');
  throw unauthorized(
    text === undefined
      ? 'the header Authorization must be "Bearer TOKEN"'
      : 'no line of manager.token-file has this token; it was removed, or another file was meant',
  );
}

function checkCluster(request: FastifyRequest, access: Restricted, caller: Caller): void {
  const { cluster: own } = caller;
  if (own === undefined) return;
  const place = access.cluster ?? 'path';
  if (place === 'none' || place === 'filtered') return;
  const names = (place === 'path' ? request.params : request.query) as Record<string, unknown>;
  // A follower of events that names no cluster means its own.
  if (place === 'query') names['cluster'] ??= own;
  if (names['cluster'] === own) return;
  throw forbidden('this token is for one cluster only, and that is another one');
}

function routeOf(request: FastifyRequest): string {
  return `${request.method} ${request.routeOptions.url ?? 'this path'}`;
}

function unauthorized(detail: string): AppError {
  return new AppError('unauthorized', detail, { status: 401 });
}
