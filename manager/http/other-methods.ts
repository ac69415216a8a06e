// A path that exists, asked with a method that it has not, is answered 405 with the methods that it has.
import { AppError } from '../../shared/errors/app-error.js';
import type { App } from './app.js';
import { OPEN } from './security/access.js';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Notes every route that is added from now on. */
export function collectRoutes(app: App): Map<string, Set<string>> {
  const methodsByUrl = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsByUrl.get(url) ?? new Set<string>();
    for (const each of [method].flat()) methods.add(each);
    methodsByUrl.set(url, methods);
  });
  return methodsByUrl;
}

/** Adds a 405 for every method that a noted path does not have. Called when all routes are there. */
export function refuseOtherMethods(app: App, methodsByUrl: Map<string, Set<string>>): void {
  for (const [url, methods] of [...methodsByUrl]) {
    const others = METHODS.filter((method) => !methods.has(method));
    const allowed = [...methods].join(', ');
    if (others.length === 0) continue;
    app.route({
      url,
      method: others,
      schema: { hide: true },
      config: { access: OPEN },
      // In onRequest, so that no body is read for it.
      onRequest: (request, reply) => {
        void reply.header('allow', allowed);
        throw new AppError(
          'route-not-found',
          `${request.method} is not allowed on ${url}; allowed: ${allowed}`,
          { status: 405 },
        );
      },
      handler: (_request, reply) => reply.send(),
    });
  }
}
