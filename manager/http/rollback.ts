// POST /clusters/{cluster}/rollback: old content as a new version, or what that would change.
import { z } from 'zod';
import { IDEMPOTENCY_HEADER } from '../../shared/api/headers.js';
import { rollbackRequestSchema, rollbackSchema } from '../../shared/api/rollback.js';
import type { App } from './app.js';
import type { AppDeps } from './deps.js';
import { clusterParams, idempotencyKey } from './params.js';
import { errors } from './responses.js';
import { OPERATE } from './security/access.js';
import { personOf } from './security/callers.js';

const headers = z.looseObject({
  [IDEMPOTENCY_HEADER]: z
    .string()
    .optional()
    .describe('names the rollback: sent again, it gets the same answer'),
});

export function rollbackRoutes(app: App, deps: AppDeps): void {
  const { masks, rollback, views } = deps.services;
  app.post(
    '/clusters/:cluster/rollback',
    {
      config: { access: OPERATE },
      schema: {
        tags: ['clusters'],
        summary: 'Make a new version with the content of an old one',
        params: clusterParams,
        headers,
        body: rollbackRequestSchema,
        response: { 200: rollbackSchema, ...errors(400, 404, 409, 422, 503) },
      },
    },
    async (request) => {
      const { params, body, headers: given } = request;
      const done = await rollback.run(
        views.of(params.cluster),
        {
          to: body.to,
          expect: body.expect,
          isDryRun: body['dry-run'] === true,
          approve: body.approve,
          idempotencyKey: idempotencyKey(given),
          author: personOf(request),
        },
        { mask: await masks.mask(deps.stop), signal: deps.stop },
      );
      if (!done['dry-run']) deps.metrics.writes.inc({ outcome: 'accepted' });
      return done;
    },
  );
}
