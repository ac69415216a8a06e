// /clusters/{cluster}/placement: reading the newest with long poll, and what agents ask of it: groups, and cuts confirmed.
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { nodeId } from '../../shared/api/fields.js';
import { INCARNATION_HEADER, VERSION_HEADER } from '../../shared/api/headers.js';
import {
  confirmSchema,
  placementFromWire,
  placementSchema,
  wantedGroupsSchema,
} from '../../shared/api/placement.js';
import { AppError } from '../../shared/errors/app-error.js';
import { parseTime } from '../../shared/influx/time.js';
import { clusterNotFound } from '../metadata/reader.js';
import { isNews, type Wait } from '../metadata/waiters.js';
import type { LoadedPlacement } from '../placement/placement-feed.js';
import type { PublishedPlacement } from '../placement/published.js';
import { bodyOf } from '../placement/state.js';
import type { App } from './app.js';
import type { AppDeps } from './deps.js';
import { knownCluster } from './known-cluster.js';
import { clusterParams, versionParams } from './params.js';
import { errors, NO_CONTENT } from './responses.js';
import { assertRoomToWait } from './room-to-wait.js';
import { OPERATE, READ, WORK } from './security/access.js';
import { waitQuery } from './versions.js';

/** A whole placement: a thousand databases with a year of groups each are some tens of MiB. */
const MAX_PLACEMENT_BYTES = 64 * 1024 * 1024;

const tags = ['placement'];

const readHeaders = z.looseObject({
  [INCARNATION_HEADER]: z
    .string()
    .optional()
    .describe('that of the placement which the reader has seen: another one is news'),
});

export function placementRoutes(app: App, deps: AppDeps): void {
  const { placements } = deps.services;

  app.get(
    '/clusters/:cluster/placement/:version',
    {
      config: { access: READ },
      schema: {
        tags,
        summary: 'The newest placement, as soon as it is another than {version}',
        params: versionParams,
        querystring: waitQuery,
        headers: readHeaders,
        response: {
          200: placementSchema,
          204: NO_CONTENT.describe('nothing newer within the wait'),
          ...errors(400, 404, 503),
        },
      },
    },
    async ({ params: { cluster, version }, query, headers }, reply) => {
      const { placement: feed } = deps.services.views.of(cluster);
      const seen = { version, incarnation: headers[INCARNATION_HEADER] };
      const found = await feed.newest();
      if (found === undefined && version > 0) throw clusterNotFound(cluster);
      if (found !== undefined && isNews(found, seen)) return sendNewest(reply, deps, cluster);
      const waitMs = Math.min(query.wait ?? deps.limits.longPollMs, deps.limits.longPollMs);
      if (waitMs === 0) return reply.code(204).send();
      assertRoomToWait(deps);
      const wait: Wait<PublishedPlacement> = feed.wait(seen, waitMs);
      reply.raw.once('close', () => {
        wait.cancel();
      });
      const end = await wait.end;
      if (end.kind === 'ended') return reply.code(204).send();
      return sendNewest(reply, deps, cluster);
    },
  );

  app.put(
    '/clusters/:cluster/placement/:version',
    {
      bodyLimit: MAX_PLACEMENT_BYTES,
      config: { access: OPERATE },
      schema: {
        tags,
        summary: 'Replace all groups, where {version} is still the newest',
        params: versionParams,
        body: placementSchema.describe('members and deletes are not taken over'),
        response: { 200: placementSchema, ...errors(400, 404, 409, 413, 503) },
      },
    },
    async ({ params: { cluster, version }, body }, reply) => {
      if (body.version !== version) {
        throw new AppError(
          'version-invalid',
          `the body is version ${body.version} of the placement and the path says ${version}; give the same in both`,
          { status: 400 },
        );
      }
      const view = await knownCluster(deps, cluster);
      return send(reply, await placements.replace(view, placementFromWire(body), deps.stop));
    },
  );

  app.post(
    '/clusters/:cluster/placement/groups',
    {
      config: { access: WORK },
      schema: {
        tags,
        summary: 'Have the shard groups made that are missing',
        params: clusterParams,
        body: wantedGroupsSchema,
        response: { 200: placementSchema, ...errors(400, 404, 409, 503) },
      },
    },
    async ({ params: { cluster }, body }, reply) => {
      const view = await knownCluster(deps, cluster);
      const wanted = body.map(({ database, policy, time }) => ({
        database,
        policy,
        timeNs: parseTime(time) ?? 0n,
      }));
      return send(reply, await placements.groups.ensure(view, wanted, deps.stop));
    },
  );

  app.post(
    '/clusters/:cluster/placement/confirm',
    {
      config: { access: { ...WORK, session: 'body' } },
      schema: {
        tags,
        summary: 'A node knows all cuts up to a version',
        params: clusterParams,
        body: confirmSchema,
        response: { 200: placementSchema, ...errors(400, 404, 503) },
      },
    },
    async ({ params: { cluster }, body: { node, version } }, reply) => {
      const view = await knownCluster(deps, cluster);
      return send(reply, await placements.confirm(view, node, version, deps.stop));
    },
  );

  behindRoutes(app, deps);
}

/** Flags of owners that a holder of hints could not tell. */
function behindRoutes(app: App, deps: AppDeps): void {
  const { behind } = deps.services.placements;
  const params = clusterParams.extend({
    id: z.coerce.number().pipe(nodeId).describe('the owner: who may lack points'),
    holder: z.coerce.number().pipe(nodeId).describe('the node that holds hints for it'),
  });
  const config = { access: { ...WORK, session: 'holder-path' as const } };
  const url = '/nodes/:cluster/:id/behind/:holder';
  app.put(
    url,
    {
      config,
      schema: {
        tags: ['nodes'],
        summary: 'Flag a node that could not be told of the hints that are held for it',
        params,
        response: { 204: NO_CONTENT, ...errors(400, 404, 503) },
      },
    },
    async ({ params: { cluster, id, holder } }, reply) => {
      await behind.set(await knownCluster(deps, cluster), id, holder, deps.stop);
      return reply.code(204).send();
    },
  );
  app.delete(
    url,
    {
      config,
      schema: {
        tags: ['nodes'],
        summary: 'Take the flag away: its hints are delivered, or it was told',
        params,
        response: { 204: NO_CONTENT, ...errors(400, 404, 503) },
      },
    },
    async ({ params: { cluster, id, holder } }, reply) => {
      await behind.clear(await knownCluster(deps, cluster), id, holder, deps.stop);
      return reply.code(204).send();
    },
  );
}

async function sendNewest(
  reply: FastifyReply,
  deps: AppDeps,
  cluster: string,
): Promise<FastifyReply> {
  const loaded = await deps.services.views.of(cluster).placement.load();
  if (loaded.published === undefined) throw clusterNotFound(cluster);
  return send(reply, loaded);
}

/** The placement with its headers; what was changed just now has no need to be read again. */
export function send(reply: FastifyReply, { published, state }: LoadedPlacement): FastifyReply {
  const { version, incarnation } = state;
  void reply
    .header(VERSION_HEADER, version)
    .header(INCARNATION_HEADER, incarnation)
    .header('etag', `"${incarnation}.${version}"`)
    .type('application/json');
  // As bytes: checking an answer of megabytes against its schema would keep everybody else waiting.
  return reply.send(published?.bodyOnce(state) ?? Buffer.from(JSON.stringify(bodyOf(state))));
}
