// /nodes: registering, heartbeats, lists, deregistering.
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  heartbeatAnswerSchema,
  heartbeatBodySchema,
  nodeListSchema,
  nodeSchema,
  registerAnswerSchema,
  registerBodySchema,
  registrySchema,
  type HeartbeatBody,
  type RegisterBody,
} from '../../shared/api/nodes.js';
import { nodeDeregistered, nodeRegistered, nodeReturned } from '../events/tellings.js';
import type { ClusterView } from '../metadata/cluster-views.js';
import { clusterNotFound } from '../metadata/reader.js';
import type { Heartbeat } from '../nodes/heartbeats.js';
import type { InfluxdIdentity } from '../nodes/records.js';
import { nodeNotFound, type Registration } from '../nodes/registrar.js';
import { isLoss, nodeNeeded } from '../placement/departure.js';
import { dataGivenUp } from '../placement/tellings.js';
import type { App } from './app.js';
import { callerName } from './caller-name.js';
import type { AppDeps } from './deps.js';
import { heldOf } from './held.js';
import { clusterParams, dryRun, flag, nodeParams } from './params.js';
import { errors, NO_CONTENT } from './responses.js';
import { READ, WORK } from './security/access.js';
import { visibleCluster } from './security/callers.js';

/** Where a client that names no address is taken to have its peer endpoint. */
const DEFAULT_PEER_PORT = 8888;

export function nodeRoutes(app: App, deps: AppDeps): void {
  const { directory, registrar, heartbeats, views, ttlSeconds } = deps.services;
  const { contact, events, liveness, orders, placements } = deps.services;
  const tags = ['nodes'];

  app.get(
    '/nodes',
    {
      config: { access: { ...READ, cluster: 'filtered' } },
      schema: {
        tags,
        summary: 'Managers and all nodes',
        response: { 200: registrySchema, ...errors(503) },
      },
    },
    async (request) => {
      const own = visibleCluster(request);
      const { cflux, influx } = await directory.all(deps.stop);
      return {
        cflux,
        influx: influx.filter(({ cluster }) => own === undefined || cluster === own),
      };
    },
  );

  app.get(
    '/nodes/:cluster',
    {
      config: { access: READ },
      schema: {
        tags,
        summary: "A cluster's nodes",
        params: clusterParams,
        response: { 200: nodeListSchema, ...errors(400, 404, 503) },
      },
    },
    async ({ params }) => {
      const nodes = await directory.nodes(views.of(params.cluster), deps.stop);
      if (nodes === undefined) throw clusterNotFound(params.cluster);
      return nodes;
    },
  );

  app.post(
    '/nodes/:cluster',
    {
      config: { access: WORK },
      schema: {
        tags,
        summary: 'Register a node',
        params: clusterParams,
        body: registerBodySchema,
        response: {
          200: registerAnswerSchema,
          201: registerAnswerSchema,
          ...errors(400, 409, 503),
        },
      },
    },
    async (request, reply) => {
      const view = views.of(request.params.cluster);
      const registration = registrationOf(request.body, request);
      const registered = await registrar.register(view, registration, deps.stop);
      const { id, isNew } = registered;
      deps.metrics.registrations.inc({ kind: isNew ? 'new' : 'known' });
      liveness.ensure(view.name);
      if (!registered.wasRegistered) events.tell(view.name, nodeRegistered(registered));
      else if (!registered.wasAlive) events.tell(view.name, nodeReturned(id, 'registered again'));
      await countMember(view, deps, () => placements.members.joined(view, id, deps.stop));
      const { version, incarnation } = await newestOf(view);
      void reply.code(isNew ? 201 : 200);
      return {
        id,
        cluster: view.name,
        ttl: ttlSeconds,
        'heartbeat-interval': ttlSeconds / 3,
        version,
        incarnation,
        orders: await orders.of(view, id),
      };
    },
  );

  app.get(
    '/nodes/:cluster/:id',
    {
      config: { access: READ },
      schema: {
        tags,
        summary: 'One node',
        params: nodeParams,
        response: { 200: nodeSchema, ...errors(400, 404, 503) },
      },
    },
    async ({ params: { cluster, id } }) => {
      const node = await directory.node(views.of(cluster), id, deps.stop);
      if (node === undefined) throw nodeNotFound(cluster, id);
      return node;
    },
  );

  app.put(
    '/nodes/:cluster/:id',
    {
      config: { access: { ...WORK, session: 'heartbeat' } },
      schema: {
        tags,
        summary: 'Heartbeat: renews the TTL',
        params: nodeParams,
        body: heartbeatBodySchema,
        response: { 200: heartbeatAnswerSchema, ...errors(400, 404, 409, 503) },
      },
    },
    async ({ params: { cluster, id }, body }) => {
      const view = views.of(cluster);
      const heartbeat = heartbeatOf(body);
      const { wasAlive } = await heartbeats.refresh(view, id, heartbeat, deps.stop);
      // After an outage of the store nobody counted as dead, so nobody comes back.
      if (!wasAlive && !contact.isInGrace)
        events.tell(view.name, nodeReturned(id, 'sends heartbeats again'));
      if (heartbeat.status !== undefined) {
        await orders.settle(view, id, heartbeat.held?.digest, deps.stop);
      }
      return {
        ttl: ttlSeconds,
        ...(await newestOf(view)),
        'placement-version': (await view.placement.latest())?.tag.version ?? 0,
        'registry-revision': (await view.registry.recent()) ?? 0,
        orders: await orders.of(view, id),
      };
    },
  );

  app.delete(
    '/nodes/:cluster/:id',
    {
      config: { access: { ...WORK, session: 'path' } },
      schema: {
        tags,
        summary: 'Deregister a node',
        params: nodeParams,
        querystring: z.object({ force: flag, 'dry-run': dryRun }),
        response: {
          200: z.object({ 'dry-run': z.literal(true), node: nodeSchema }).describe('a dry run'),
          204: NO_CONTENT,
          ...errors(400, 404, 409, 503),
        },
      },
    },
    async (request, reply) => {
      const { cluster, id } = request.params;
      const view = views.of(cluster);
      if (request.query['dry-run']) {
        const node = await directory.node(view, id, deps.stop);
        if (node === undefined) throw nodeNotFound(cluster, id);
        return { 'dry-run': true as const, node };
      }
      const loss = await placements.departure.lossOf(view, id, deps.stop);
      if (isLoss(loss) && !request.query.force) throw nodeNeeded(id, loss);
      await registrar.deregister(view, id, deps.stop);
      events.tell(cluster, nodeDeregistered(id, callerName(request)));
      if (isLoss(loss)) {
        const groups = loss.groups.map((group) => group.id);
        events.tell(cluster, dataGivenUp(id, groups, callerName(request)));
      }
      await countMember(view, deps, () => placements.members.sync(view, deps.stop));
      return reply.code(204).send();
    },
  );
}

/** Who counts is brought up to date at once; where that fails, the next round of the upkeep does it. */
async function countMember(
  view: ClusterView,
  { logger }: AppDeps,
  change: () => Promise<void>,
): Promise<void> {
  try {
    await change();
  } catch (error) {
    logger.warn('who counts for placement is brought up to date later', {
      cluster: view.name,
      err: error,
    });
  }
}

/** What was last heard, without asking the store: a heartbeat's news may be a moment old. */
async function newestOf(view: ClusterView): Promise<{ version: number; incarnation: string }> {
  const newest = await view.feed.latest();
  return { version: newest?.tag.version ?? 0, incarnation: newest?.tag.incarnation ?? '' };
}

function registrationOf(body: RegisterBody, request: FastifyRequest): Registration {
  const { ip } = request;
  const host = ip.includes(':') ? `[${ip}]` : ip;
  return {
    uid: body.uid,
    session: body.session,
    previousSession: body['previous-session'],
    candidates: body.candidates ?? [],
    hostname: body.hostname ?? ip,
    ips: body.ips ?? [ip],
    bindAddress: body['bind-address'],
    labels: body.labels,
    versions: body.versions,
    defaultAddress: `${host}:${DEFAULT_PEER_PORT}`,
    influxd: influxdOf(body.influxd),
  };
}

function heartbeatOf(body: HeartbeatBody): Heartbeat {
  const { uid, session, version, state, influxd, pending, hints, held } = body;
  const saysNothing =
    version === undefined &&
    state === undefined &&
    influxd === undefined &&
    pending === undefined &&
    hints === undefined &&
    held === undefined;
  const identity = influxdOf(influxd);
  return {
    uid,
    session,
    status: saysNothing
      ? undefined
      : {
          version: version ?? 0,
          state: state ?? '',
          pending: pending ?? 0,
          hints: hints ?? [],
          ...(identity === undefined ? {} : { influxd: identity }),
        },
    held: heldOf(held),
  };
}

function influxdOf(influxd: RegisterBody['influxd']): InfluxdIdentity | undefined {
  if (influxd === undefined) return undefined;
  return {
    clusterId: String(influxd['cluster-id']),
    term: String(influxd.term),
    index: String(influxd.index),
    started: influxd.started,
  };
}
