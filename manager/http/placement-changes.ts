// /clusters/{cluster}/placement and /deletes: what changes completeness, cuts, adoption; and numbered deletes.
import { z } from 'zod';
import { IDEMPOTENCY_HEADER } from '../../shared/api/headers.js';
import {
  adoptSchema,
  completenessSchema,
  deleteAnswerSchema,
  deleteBodySchema,
  deletesSchema,
  placementSchema,
  truncateSchema,
} from '../../shared/api/placement.js';
import { AppError } from '../../shared/errors/app-error.js';
import { parseTime } from '../../shared/influx/time.js';
import type { App } from './app.js';
import { callerName } from './caller-name.js';
import type { AppDeps } from './deps.js';
import { knownCluster } from './known-cluster.js';
import { clusterParams, idempotencyKey } from './params.js';
import { send } from './placement.js';
import { errors } from './responses.js';
import { forbidden, OPERATE, READ, WORK } from './security/access.js';

const tags = ['placement'];

export function placementChangeRoutes(app: App, deps: AppDeps): void {
  const { placements } = deps.services;

  app.post(
    '/clusters/:cluster/placement/completeness',
    {
      config: { access: WORK },
      schema: {
        tags,
        summary: 'Mark a node as lacking points of groups, or as whole again',
        params: clusterParams,
        body: completenessSchema,
        response: { 200: placementSchema, ...errors(400, 404, 503) },
      },
    },
    async (request, reply) => {
      const { node, groups, complete, why = '' } = request.body;
      if (complete && request.caller?.role === 'agent') {
        throw forbidden('only an operator may say that a node lacks nothing');
      }
      const isOrderUnsure = request.body['order-unsure'];
      if (!complete && why === '' && isOrderUnsure !== true) {
        throw new AppError('body-invalid', 'body field why: say why it may lack points', {
          status: 400,
        });
      }
      const view = await knownCluster(deps, request.params.cluster);
      const by = callerName(request);
      const marking = { node, groups, isComplete: complete, why, isOrderUnsure, by };
      return send(reply, await placements.completeness.mark(view, marking, deps.stop));
    },
  );

  app.post(
    '/clusters/:cluster/placement/truncate',
    {
      config: { access: OPERATE },
      schema: {
        tags,
        summary: 'Announce an end to groups, so that new ones with other owners follow',
        params: clusterParams,
        body: truncateSchema,
        response: { 200: placementSchema, ...errors(400, 404, 503) },
      },
    },
    async (request, reply) => {
      const { database, policy, at } = request.body;
      const view = await knownCluster(deps, request.params.cluster);
      const atNs = at === undefined ? undefined : parseTime(at);
      const cut = { database, policy, atNs, by: callerName(request) };
      return send(reply, await placements.truncate(view, cut, deps.stop));
    },
  );

  app.post(
    '/clusters/:cluster/placement/adopt',
    {
      config: { access: { ...WORK, session: 'body' } },
      schema: {
        tags,
        summary: 'Take in the groups of a server that joined with data',
        params: clusterParams,
        body: adoptSchema,
        response: { 200: placementSchema, ...errors(400, 404, 409, 503) },
      },
    },
    async ({ params: { cluster }, body: { node, groups } }, reply) => {
      const view = await knownCluster(deps, cluster);
      const brought = groups.map(({ database, policy, start, end }) => ({
        database,
        policy,
        startNs: parseTime(start) ?? 0n,
        endNs: parseTime(end) ?? 0n,
      }));
      return send(reply, await placements.completeness.adopt(view, node, brought, deps.stop));
    },
  );

  deleteRoutes(app, deps);
}

function deleteRoutes(app: App, deps: AppDeps): void {
  const { deletes } = deps.services.placements;
  app.post(
    '/clusters/:cluster/deletes',
    {
      config: { access: WORK },
      schema: {
        tags,
        summary: 'Number a DELETE, DROP SERIES or DROP MEASUREMENT',
        params: clusterParams,
        headers: z.looseObject({
          [IDEMPOTENCY_HEADER]: z
            .string()
            .optional()
            .describe('names the delete: sent again, it gets the same number'),
        }),
        body: deleteBodySchema,
        response: { 201: deleteAnswerSchema, ...errors(400, 404, 503) },
      },
    },
    async (request, reply) => {
      const view = await knownCluster(deps, request.params.cluster);
      const { database, statement } = request.body;
      const key = idempotencyKey(request.headers);
      const wanted = { database, statement, idempotencyKey: key };
      const number = await deletes.add(view, wanted, deps.stop);
      return reply.code(201).send({ number });
    },
  );

  app.get(
    '/clusters/:cluster/deletes',
    {
      config: { access: READ },
      schema: {
        tags,
        summary: 'Numbered deletes, ascending, at most a thousand',
        params: clusterParams,
        querystring: z.object({
          since: z
            .string()
            .regex(/^\d{1,15}$/, 'must be a whole number')
            .optional()
            .describe('only those with higher numbers'),
        }),
        response: { 200: deletesSchema, ...errors(400, 404, 503) },
      },
    },
    async ({ params: { cluster }, query: { since } }) => {
      const view = await knownCluster(deps, cluster);
      return deletes.list(view, Number(since ?? 0), deps.stop);
    },
  );
}
