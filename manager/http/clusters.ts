// /clusters: the list, one cluster, deleting one.
import { z } from 'zod';
import { clusterListSchema, clusterSchema } from '../../shared/api/clusters.js';
import { versionText } from '../../shared/api/fields.js';
import { AppError } from '../../shared/errors/app-error.js';
import type { App } from './app.js';
import type { AppDeps } from './deps.js';
import { clusterParams, flag } from './params.js';
import { errors, NO_CONTENT } from './responses.js';

const deleteQuery = z.object({
  expect: versionText.optional().describe('the newest version that the caller has seen'),
  force: flag.describe('also where nodes are alive'),
});

export function clusterRoutes(app: App, deps: AppDeps): void {
  const { clusters, views } = deps.services;
  const tags = ['clusters'];

  app.get(
    '/clusters',
    {
      schema: {
        tags,
        summary: 'The clusters',
        response: { 200: clusterListSchema, ...errors(503) },
      },
    },
    () => clusters.list(deps.stop),
  );

  app.get(
    '/clusters/:cluster',
    {
      schema: {
        tags,
        summary: 'One cluster',
        params: clusterParams,
        response: { 200: clusterSchema, ...errors(400, 404, 503) },
      },
    },
    ({ params }) => clusters.get(views.of(params.cluster), deps.stop),
  );

  app.delete(
    '/clusters/:cluster',
    {
      schema: {
        tags,
        summary: 'Delete a cluster: its metadata, history and nodes',
        params: clusterParams,
        querystring: deleteQuery,
        response: { 204: NO_CONTENT, ...errors(400, 404, 409, 503) },
      },
    },
    async ({ params, query: { expect, force } }, reply) => {
      if (expect === undefined && !force) {
        throw new AppError(
          'version-invalid',
          'query parameter expect: give the newest version that you have seen, so that only that is deleted (or force=true)',
          { status: 400 },
        );
      }
      await clusters.delete(views.of(params.cluster), { expect, force }, deps.stop);
      return reply.code(204).send();
    },
  );
}
