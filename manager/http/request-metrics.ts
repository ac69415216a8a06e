// Counts every finished request by its route's pattern, never by its path: names are not labels.
import type { ManagerMetrics } from '../metrics.js';
import type { App } from './app.js';

export function countRequests(app: App, metrics: ManagerMetrics): void {
  app.addHook('onResponse', (request, reply, done) => {
    const { method } = request;
    const route = request.routeOptions.url ?? 'none';
    metrics.requests.inc({ route, method, status: reply.statusCode });
    metrics.requestSeconds.observe({ route, method }, reply.elapsedTime / 1_000);
    done();
  });
}
