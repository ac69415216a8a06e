// Puts the HTTP API together, without listening: routes, bodies, errors, metrics, the OpenAPI document.
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import swagger from '@fastify/swagger';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify';
import {
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { REQUEST_ID_HEADER } from '../../shared/api/headers.js';
import { AppError } from '../../shared/errors/app-error.js';
import { takeBytes, takeJson } from './bodies.js';
import { clusterRoutes } from './clusters.js';
import type { AppDeps } from './deps.js';
import { sendError } from './errors.js';
import { placementRoutes } from './placement.js';
import { placementChangeRoutes } from './placement-changes.js';
import { eventRoutes } from './events.js';
import { historyRoutes } from './history.js';
import { lockRoutes } from './locks.js';
import { managerRoutes } from './manager.js';
import { openapiOptions } from './openapi.js';
import { nodeRoutes } from './nodes.js';
import { orderRoutes } from './orders.js';
import { collectRoutes, refuseOtherMethods } from './other-methods.js';
import { countRequests } from './request-metrics.js';
import { AuthFailures } from './security/auth-failures.js';
import { askCallers, type CallersDeps } from './security/callers.js';
import { limitConnections, serverOptions } from './security/server.js';
import { rollbackRoutes } from './rollback.js';
import { versionRoutes } from './versions.js';

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body is a snapshot; too large a one has a code of its own. */
    takesSnapshot?: boolean;
  }
}

/** Names are up to 255 bytes, three characters each when percent-encoded; Fastify's default is 100 characters. */
const MAX_PARAM_LENGTH = 4_096;

/** Printable ASCII of reasonable length is taken over as the request's id; anything else is not. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

export async function buildApp(deps: AppDeps): Promise<App> {
  // Every store call of every request listens to it while it runs; that is no leak.
  setMaxListeners(0, deps.stop);
  const app = Fastify({
    ...serverOptions(deps.tls, deps.limits),
    logger: false,
    bodyLimit: deps.limits.maxJsonBytes,
    // A request whose head and body take longer than this to arrive is ended; long polls have arrived by then.
    requestTimeout: deps.limits.requestTimeoutMs,
    // A stopping manager goes on answering what comes on open connections; idle ones are closed.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    genReqId: (request) => {
      const given = request.headers[REQUEST_ID_HEADER];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    },
    frameworkErrors: (error, request, reply) => {
      void sendError(error, request, reply, deps.logger);
    },
  }).withTypeProvider<ZodTypeProvider>() as App;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply, deps.logger));
  app.setNotFoundHandler((request, reply) =>
    sendError(noRoute(request), request, reply, deps.logger),
  );
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header(REQUEST_ID_HEADER, request.id);
    done();
  });
  countRequests(app, deps.metrics);
  limitConnections(app, deps.limits);
  deps.tls?.attach(app);
  askCallers(app, callersDeps(deps));
  const routes = collectRoutes(app);
  await app.register(swagger, openapiOptions(deps.build.version));
  for (const addRoutes of [
    nodeRoutes,
    clusterRoutes,
    historyRoutes,
    rollbackRoutes,
    eventRoutes,
    lockRoutes,
    placementRoutes,
    placementChangeRoutes,
    orderRoutes,
    managerRoutes,
  ]) {
    await app.register((scope: App, _options, done) => {
      takeJson(scope);
      addRoutes(scope, deps);
      done();
    });
  }
  await app.register((scope: App, _options, done) => {
    takeBytes(scope);
    versionRoutes(scope, deps);
    done();
  });
  refuseOtherMethods(app, routes);
  await app.ready();
  return app;
}

function callersDeps({ services, tokens, limits, metrics, logger, stop }: AppDeps): CallersDeps {
  const { views, sessions } = services;
  const failures = new AuthFailures({
    maxPerMinute: limits.maxAuthFailures,
    monotonicMs: () => performance.now(),
  });
  return { tokens, failures, sessions, views, metrics, logger, stop };
}

function noRoute({ method, url }: { method: string; url: string }): AppError {
  const path = url.split('?')[0] ?? url;
  return new AppError(
    'route-not-found',
    `there is no ${method} ${path} here; GET /openapi.json lists what there is`,
    { status: 404 },
  );
}
