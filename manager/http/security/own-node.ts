// Which node a caller of the role agent is: the one whose session it names. It refuses what is done in another node's name.
import type { FastifyRequest } from 'fastify';
import { NODE_HEADER, SESSION_HEADER } from '../../../shared/api/headers.js';
import { checkName } from '../../../shared/api/names.js';
import type { ClusterViews } from '../../metadata/cluster-views.js';
import type { NodeName, Sessions } from '../../nodes/sessions.js';
import { forbidden, type SessionOf } from './access.js';

export interface OwnNodeDeps {
  readonly sessions: Sessions;
  readonly views: ClusterViews;
  readonly stop: AbortSignal;
}

/** A token is often shared by all agents of a cluster: which node a caller is, it proves by the node's session. */
export async function checkSession(
  request: FastifyRequest,
  place: SessionOf,
  { sessions, views, stop }: OwnNodeDeps,
): Promise<void> {
  const { caller } = request;
  if (caller?.role !== 'agent') return;
  const nodes = namedNodes(request, place);
  if (nodes.length === 0) return;
  const session = request.headers[SESSION_HEADER];
  if (typeof session === 'string') {
    const view = views.of(checkName(clusterOf(request), 'cluster name'));
    const proven = nodes.map((node) => sessions.isCurrent(view, node, session, stop));
    if ((await Promise.all(proven)).every((isIt) => isIt)) return;
  }
  throw forbidden(
    `the header ${SESSION_HEADER} does not name the session by which this node was last registered: an agent acts for its own node only, once it has registered`,
  );
}

/** A superseded session is told by the route, in the words that stop an agent; here only none at all is refused. */
export function checkNamesSession(request: FastifyRequest): void {
  const { session } = (request.body ?? {}) as { session?: unknown };
  if (request.caller?.role !== 'agent' || typeof session === 'string') return;
  throw forbidden('a heartbeat with a token of the role agent must name its session in the body');
}

/** None: the request is for no node. All of them must be the caller's, whichever the route then takes. */
function namedNodes(request: FastifyRequest, place: SessionOf): NodeName[] {
  const body = request.body as Record<string, unknown> | undefined;
  const query = request.query as Record<string, unknown>;
  switch (place) {
    case 'path':
      return byId((request.params as { id?: unknown }).id);
    case 'holder-path':
      return byId((request.params as { holder?: unknown }).holder);
    case 'heartbeat':
      return [];
    case 'header':
      return byId(request.headers[NODE_HEADER]);
    case 'body':
      // What is about no node is not for an agent to say.
      return byId(body?.['node'] ?? 0);
    case 'holder':
      return [body?.['holder'], query['holder']].flatMap((holder) =>
        holder === undefined ? [] : [{ uid: textOf(holder) }],
      );
  }
}

function byId(value: unknown): NodeName[] {
  if (value === undefined || value === null) return [];
  // A number that no node can have finds none, which is a refusal.
  return [{ id: /^\d{1,15}$/.test(textOf(value)) ? Number(value) : 0 }];
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function clusterOf(request: FastifyRequest): string {
  return (request.params as { cluster: string }).cluster;
}
