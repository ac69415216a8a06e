// /clusters: the list, one cluster, deleting one.
import { z } from 'zod';
import { clusterListSchema, clusterSchema } from '../../shared/api/clusters.js';
import { versionText } from '../../shared/api/fields.js';
import { AppError } from '../../shared/errors/app-error.js';
import type { App } from './app.js';
import type { AppDeps } from './deps.js';
import { clusterParams, dryRun, flag } from './params.js';
import { errors, NO_CONTENT } from './responses.js';
import { OPERATE, READ } from './security/access.js';
import { visibleCluster } from './security/callers.js';

const deleteQuery = z.object({
  expect: versionText.optional().describe('the newest version that the caller has seen'),
  force: flag.describe('also where nodes are alive'),
  'dry-run': dryRun,
});

export function clusterRoutes(app: App, deps: AppDeps): void {
  const { clusters, views } = deps.services;
  const tags = ['clusters'];

  app.get(
    '/clusters',
    {
      config: { access: { ...READ, cluster: 'filtered' } },
      schema: {
        tags,
        summary: 'The clusters',
        response: { 200: clusterListSchema, ...errors(503) },
      },
    },
    async (request) => {
      const own = visibleCluster(request);
      const all = await clusters.list(deps.stop);
      return all.filter(({ name }) => own === undefined || name === own);
    },
  );

  app.get(
    '/clusters/:cluster',
    {
      config: { access: READ },
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
      config: { access: OPERATE },
      schema: {
        tags,
        summary: 'Delete a cluster: its metadata, history and nodes',
        params: clusterParams,
        querystring: deleteQuery,
        response: {
          200: z
            .object({ 'dry-run': z.literal(true), cluster: clusterSchema })
            .describe('a dry run'),
          204: NO_CONTENT,
          ...errors(400, 404, 409, 503),
        },
      },
    },
    async ({ params, query: { expect, force, 'dry-run': isDry } }, reply) => {
      if (expect === undefined && !force) {
        throw new AppError(
          'version-invalid',
          'query parameter expect: give the newest version that you have seen, so that only that is deleted (or force=true)',
          { status: 400 },
        );
      }
      const view = views.of(params.cluster);
      if (isDry) {
        const cluster = await clusters.check(view, { expect, force }, deps.stop);
        return { 'dry-run': true as const, cluster };
      }
      await clusters.delete(view, { expect, force }, deps.stop);
      return reply.code(204).send();
    },
  );
}
