// /clusters/{cluster}/lock/{name}: taking, renewing and freeing a lock.
import { nameField } from '../../shared/api/fields.js';
import { lockAnswerSchema, lockBodySchema, unlockSchema } from '../../shared/api/locks.js';
import { AppError } from '../../shared/errors/app-error.js';
import type { App } from './app.js';
import type { AppDeps } from './deps.js';
import { knownCluster } from './known-cluster.js';
import { clusterParams } from './params.js';
import { errors, NO_CONTENT } from './responses.js';
import { WORK } from './security/access.js';

const lockParams = clusterParams.extend({ name: nameField('lock name') });

export function lockRoutes(app: App, deps: AppDeps): void {
  const { locks } = deps.services;
  const tags = ['clusters'];

  app.put(
    '/clusters/:cluster/lock/:name',
    {
      config: { access: { ...WORK, session: 'holder' } },
      schema: {
        tags,
        summary: 'Take a lock, or renew it',
        params: lockParams,
        body: lockBodySchema,
        response: { 200: lockAnswerSchema, ...errors(400, 404, 409, 503) },
      },
    },
    async ({ params: { cluster, name }, body: { holder, ttl } }) => {
      const { keys } = await knownCluster(deps, cluster);
      const outcome = await locks.acquire(keys, { name, holder, ttlSeconds: ttl }, deps.stop);
      if (outcome.kind === 'held') return { fence: outcome.fence, ttl: outcome.ttlSeconds };
      throw lockHeld(name, outcome.holder, outcome.expiresInMs);
    },
  );

  app.delete(
    '/clusters/:cluster/lock/:name',
    {
      config: { access: { ...WORK, session: 'holder' } },
      schema: {
        tags,
        summary: 'Free a lock; also where this holder does not have it',
        params: lockParams,
        querystring: unlockSchema,
        body: unlockSchema,
        response: { 204: NO_CONTENT, ...errors(400, 404, 503) },
      },
    },
    async ({ params: { cluster, name }, query, body }, reply) => {
      const holder = query.holder ?? body.holder;
      if (holder === undefined) {
        throw new AppError('body-invalid', 'body field holder: say who frees the lock', {
          status: 400,
        });
      }
      const { keys } = await knownCluster(deps, cluster);
      await locks.release(keys, { name, holder }, deps.stop);
      return reply.code(204).send();
    },
  );
}

function lockHeld(name: string, holder: string, expiresInMs: number): AppError {
  return new AppError(
    'lock-held',
    `the lock ${JSON.stringify(name)} is held by ${JSON.stringify(holder)}; it is free after ${expiresInMs / 1_000} s without a renewal, try again then`,
    { status: 409, retryable: true, details: { holder, 'expires-in-ms': expiresInMs } },
  );
}
