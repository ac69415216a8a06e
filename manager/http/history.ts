// What became of versions: /clusters/{cluster}/history, diff, marks, writes.
import { z } from 'zod';
import { versionText } from '../../shared/api/fields.js';
import { diffSchema, historySchema, writeOutcomeSchema } from '../../shared/api/history.js';
import { marksSchema, marksToWire } from '../../shared/api/marks.js';
import { decodedSnapshotSchema } from '../../shared/api/snapshots.js';
import { AppError } from '../../shared/errors/app-error.js';
import { decodeSnapshot } from '../../shared/meta/codec.js';
import { readSchema } from '../../shared/meta/snapshot.js';
import { tagOf } from '../metadata/records.js';
import type { App } from './app.js';
import type { AppDeps } from './deps.js';
import { clusterParams, versionParams, writeParams } from './params.js';
import { errors, snapshotContent } from './responses.js';
import { sendSnapshot } from './versions.js';
import { READ } from './security/access.js';

const diffQuery = z.object({
  from: versionText,
  to: versionText.optional().describe('by default the newest'),
});

export function historyRoutes(app: App, deps: AppDeps): void {
  const { history, masks, publisher, views } = deps.services;
  const tags = ['clusters'];

  app.get(
    '/clusters/:cluster/history',
    {
      config: { access: READ },
      schema: {
        tags,
        summary: 'The kept versions, newest first',
        params: clusterParams,
        response: { 200: historySchema, ...errors(400, 404, 503) },
      },
    },
    ({ params }) => history.list(views.of(params.cluster), deps.stop),
  );

  app.get(
    '/clusters/:cluster/history/:version',
    {
      config: { access: READ },
      schema: {
        tags,
        summary: 'The snapshot of a kept version',
        params: versionParams,
        response: {
          200: {
            description: 'The snapshot',
            content: { ...snapshotContent, 'application/json': { schema: decodedSnapshotSchema } },
          },
          ...errors(400, 404, 503),
        },
      },
    },
    async (request, reply) => {
      const { cluster, version } = request.params;
      const { record, bytes } = await history.get(views.of(cluster), version, deps.stop);
      return sendSnapshot(request, reply, deps, {
        tag: tagOf(record),
        bytes,
        forked: false,
        schema: async () => readSchema(decodeSnapshot(bytes)),
      });
    },
  );

  app.get(
    '/clusters/:cluster/diff',
    {
      config: { access: READ },
      schema: {
        tags,
        summary: 'What changed between two kept versions',
        params: clusterParams,
        querystring: diffQuery,
        response: { 200: diffSchema, ...errors(400, 404, 503) },
      },
    },
    async ({ params, query: { from, to } }) => {
      const mask = await masks.mask(deps.stop);
      return history.diff(views.of(params.cluster), { from, to }, { mask, signal: deps.stop });
    },
  );

  app.get(
    '/clusters/:cluster/marks/:version',
    {
      config: { access: READ },
      schema: {
        tags,
        summary: 'Marks and tombstones of a kept version',
        params: versionParams,
        response: { 200: marksSchema, ...errors(400, 404, 503) },
      },
    },
    async ({ params: { cluster, version } }) =>
      marksToWire(await history.marks(views.of(cluster), version)),
  );

  app.get(
    '/clusters/:cluster/writes/:key',
    {
      config: { access: READ },
      schema: {
        tags,
        summary: 'What became of the write with this Idempotency-Key',
        params: writeParams,
        response: { 200: writeOutcomeSchema, ...errors(400, 404, 503) },
      },
    },
    async ({ params: { cluster, key } }) => {
      const outcome = await publisher.outcome(views.of(cluster), key, deps.stop);
      if (outcome !== undefined) return outcome;
      throw new AppError(
        'version-not-found',
        `no accepted write to cluster ${JSON.stringify(cluster)} has the key ${JSON.stringify(key)}`,
        { status: 404 },
      );
    },
  );
}
