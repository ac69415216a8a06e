// This manager itself: health, readiness, status, metrics, version, and the description of the API.
import { z } from 'zod';
import { healthSchema, statusSchema, versionSchema } from '../../shared/api/health.js';
import { AppError } from '../../shared/errors/app-error.js';
import { Coalescer } from '../store/coalescer.js';
import type { StoreHealth } from '../store/port.js';
import type { App } from './app.js';
import type { AppDeps } from './deps.js';
import { errors } from './responses.js';
import { OPEN, WATCH } from './security/access.js';

/** A probe must answer before its caller gives up, which is often after a second or two. */
const PROBE_DEADLINE_MS = 1_500;

export function managerRoutes(app: App, deps: AppDeps): void {
  const tags = ['manager'];
  const probe = new Coalescer(() => storeHealth(deps));

  // Load balancers ask with HEAD as well.
  for (const url of ['/healthz', '/livez']) {
    app.get(
      url,
      {
        exposeHeadRoute: true,
        config: { access: OPEN },
        schema: { tags, summary: 'The process is alive', response: { 200: healthSchema } },
      },
      () => ({ status: 'ok' as const }),
    );
  }

  app.get(
    '/readyz',
    {
      config: { access: OPEN },
      exposeHeadRoute: true,
      schema: {
        tags,
        summary: 'The store is reachable, and the manager is not stopping',
        response: { 200: healthSchema, ...errors(503) },
      },
    },
    async () => {
      if (deps.isDraining()) throw notReady('this manager is stopping');
      const { reachable, detail } = await probe.run();
      if (reachable) return { status: 'ok' as const };
      // Where callers are asked for tokens, this answer goes to those who have none; /status tells the others.
      const which = deps.tokens === undefined ? ` ${deps.store.location}` : '';
      const why = deps.tokens === undefined ? `: ${detail}` : '';
      throw notReady(`the store${which} is out of reach${why}`);
    },
  );

  app.get(
    '/status',
    {
      config: { access: WATCH },
      schema: { tags, summary: 'How this manager stands', response: { 200: statusSchema } },
    },
    async () => {
      const { reachable, detail } = await probe.run();
      return {
        id: deps.managerId,
        version: deps.build.version,
        started: deps.startedAt.toISOString(),
        ready: reachable && !deps.isDraining(),
        store: { location: deps.store.location, reachable, detail },
        waiters: deps.services.views.waiting + deps.services.events.following,
      };
    },
  );

  app.get(
    '/version',
    {
      config: { access: OPEN },
      schema: { tags, summary: 'The build', response: { 200: versionSchema } },
    },
    () => deps.build,
  );

  app.get(
    '/metrics',
    {
      config: { access: WATCH },
      schema: {
        tags,
        summary: 'Metrics as Prometheus reads them',
        response: { 200: { content: { 'text/plain': { schema: z.string() } } } },
      },
    },
    async (_request, reply) =>
      reply.type(deps.registry.contentType).send(await deps.registry.metrics()),
  );

  app.get('/openapi.json', { config: { access: WATCH }, schema: { hide: true } }, () =>
    app.swagger(),
  );
}

async function storeHealth({ store, stop }: AppDeps): Promise<StoreHealth> {
  try {
    return await store.health(AbortSignal.any([stop, AbortSignal.timeout(PROBE_DEADLINE_MS)]));
  } catch (error) {
    return { reachable: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

function notReady(detail: string): AppError {
  return new AppError('store-unavailable', detail, {
    status: 503,
    retryable: true,
    retryAfterSeconds: 1,
  });
}
