// What people order: pausing and resuming a node or a cluster, deciding what a node holds.
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  approveAnswerSchema,
  approveBodySchema,
  clusterPauseAnswerSchema,
  nodePauseAnswerSchema,
  pauseBodySchema,
  type HeldList,
} from '../../shared/api/orders.js';
import { AppError } from '../../shared/errors/app-error.js';
import { holdDecided, paused, resumed } from '../events/tellings.js';
import { ordersFor, type Order } from '../nodes/orders.js';
import type { App } from './app.js';
import { callerName } from './caller-name.js';
import type { AppDeps } from './deps.js';
import { knownCluster } from './known-cluster.js';
import { clusterParams, dryRun, nodeParams } from './params.js';
import { errors } from './responses.js';
import { OPERATE } from './security/access.js';

const orderQuery = z.object({ 'dry-run': dryRun });
const DRY = { 'dry-run': true } as const;

/** The two orders of one kind, with what they tell. */
const PAUSES = [
  { verb: 'pause', isPause: true, told: paused, does: 'It pushes and applies nothing' },
  { verb: 'resume', isPause: false, told: resumed, does: 'It goes on' },
] as const;

export function orderRoutes(app: App, deps: AppDeps): void {
  for (const pause of PAUSES) {
    nodePauseRoute(app, deps, pause);
    clusterPauseRoute(app, deps, pause);
  }
  approveRoute(app, deps);
}

function nodePauseRoute(
  app: App,
  deps: AppDeps,
  { verb, isPause, told, does }: (typeof PAUSES)[number],
): void {
  const { events, orders, views } = deps.services;
  app.post(
    `/nodes/:cluster/:id/${verb}`,
    {
      config: { access: OPERATE },
      schema: {
        tags: ['nodes'],
        summary: `${isPause ? 'Pause' : 'Resume'} a node: ${does} from its next heartbeat on`,
        params: nodeParams,
        querystring: orderQuery,
        body: pauseBodySchema,
        response: { 200: nodePauseAnswerSchema, ...errors(400, 404, 503) },
      },
    },
    async (request) => {
      const { cluster, id } = request.params;
      const isDry = request.query['dry-run'];
      const order = orderOf(request, request.body.reason);
      const { isChanged, record } = await orders.setNodePause(
        views.of(cluster),
        id,
        isPause ? order : undefined,
        { isDry, signal: deps.stop },
      );
      if (isChanged && !isDry) events.tell(cluster, told({ node: id, ...order }));
      return { node: id, paused: ordersFor(record, id).paused, ...(isDry ? DRY : {}) };
    },
  );
}

function clusterPauseRoute(
  app: App,
  deps: AppDeps,
  { verb, isPause, told, does }: (typeof PAUSES)[number],
): void {
  const { events, orders } = deps.services;
  app.post(
    `/clusters/:cluster/${verb}`,
    {
      config: { access: OPERATE },
      schema: {
        tags: ['clusters'],
        summary: `${isPause ? 'Pause' : 'Resume'} all nodes: ${does} from the next heartbeat on`,
        params: clusterParams,
        querystring: orderQuery,
        body: pauseBodySchema,
        response: { 200: clusterPauseAnswerSchema, ...errors(400, 404, 503) },
      },
    },
    async (request) => {
      const { cluster } = request.params;
      const isDry = request.query['dry-run'];
      const order = orderOf(request, request.body.reason);
      const { isChanged, record } = await orders.setClusterPause(
        await knownCluster(deps, cluster),
        isPause ? order : undefined,
        { isDry, signal: deps.stop },
      );
      if (isChanged && !isDry) events.tell(cluster, told({ node: null, ...order }));
      const own = Object.entries(record.nodes).filter(([, node]) => node.paused !== undefined);
      return {
        cluster,
        paused: record.cluster === null ? null : { scope: 'cluster' as const, ...record.cluster },
        'nodes-paused': own.map(([id]) => Number(id)),
        ...(isDry ? DRY : {}),
      };
    },
  );
}

function approveRoute(app: App, deps: AppDeps): void {
  const { events, orders, views } = deps.services;
  app.post(
    '/nodes/:cluster/:id/approve',
    {
      config: { access: OPERATE },
      schema: {
        tags: ['nodes'],
        summary: 'Decide what a node holds: the list that the digest names, and no other',
        params: nodeParams,
        querystring: orderQuery,
        body: approveBodySchema,
        response: { 200: approveAnswerSchema, ...errors(400, 404, 409, 503) },
      },
    },
    async (request) => {
      const { cluster, id } = request.params;
      const isDry = request.query['dry-run'];
      const { digest, decision } = request.body;
      const outcome = await orders.approve(
        views.of(cluster),
        id,
        { digest, decision },
        { isDry, signal: deps.stop },
      );
      if (outcome.kind === 'other-list') throw heldChanged(id, outcome.held);
      const { held, isChanged } = outcome;
      const by = callerName(request);
      if (isChanged && !isDry) {
        events.tell(cluster, holdDecided(id, { digest, decision }, { held, by }));
      }
      return { node: id, decision, held, ...(isDry ? DRY : {}) };
    },
  );
}

function orderOf(request: FastifyRequest, reason: string | undefined): Order {
  return { by: callerName(request), reason: reason ?? '' };
}

function heldChanged(id: number, held: HeldList | null): AppError {
  const now =
    held === null
      ? 'it holds nothing now'
      : `it holds ${held.count} items now, digest ${held.digest}: look at them and decide again`;
  return new AppError(
    'held-changed',
    `nothing was decided, because what node ${id} holds is not the list that the digest names; ${now}`,
    { status: 409, details: { held } },
  );
}
