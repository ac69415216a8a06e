// The gateway's answers that need nothing of the cluster: whether it is there, what it takes, and that it has no such page.
// As influxd gives them.
import type { ServerResponse } from 'node:http';

/** /ping and /status: 204, or the version where `verbose` asks for it (InfluxDB 1.8 and later). */
export function sendPing(response: ServerResponse, query: URLSearchParams): void {
  response.setHeader('Content-Type', 'application/json');
  const verbose = query.get('verbose') ?? '';
  if (['', '0', 'false'].includes(verbose)) {
    response.writeHead(204).end();
    return;
  }
  const version = String(response.getHeader('X-Influxdb-Version'));
  send(response, 200, 'application/json', JSON.stringify({ version }));
}

/** /health of InfluxDB 1.8: 200 or 503, by whether the local influxd answers. */
export function sendHealth(
  response: ServerResponse,
  influxd: { readonly answers: boolean; readonly version: string | undefined },
): void {
  const { answers, version = 'unknown' } = influxd;
  const body = {
    name: 'influxdb',
    message: answers ? 'ready for queries and writes' : 'the local influxd does not answer',
    status: answers ? 'pass' : 'fail',
    checks: [],
    version,
  };
  send(response, answers ? 200 : 503, 'application/json', JSON.stringify(body));
}

/** What a browser asks before a request to another origin. */
export function sendOptions(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Length': 0 }).end();
}

export function sendNotFound(response: ServerResponse): void {
  sendPlain(response, 404, '404 page not found\n');
}

export function sendWrongMethod(response: ServerResponse, allowed: readonly string[]): void {
  response.setHeader('Allow', allowed.join(', '));
  sendPlain(response, 405, 'Method Not Allowed\n');
}

function sendPlain(response: ServerResponse, status: number, text: string): void {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  send(response, status, 'text/plain; charset=utf-8', text);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
