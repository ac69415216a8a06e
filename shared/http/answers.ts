// The three forms of answers on plain node:http: JSON, text, and problem+json (RFC 9457).
import type { ServerResponse } from 'node:http';

export interface Problem {
  readonly status: number;
  /** Stable, for programs. */
  readonly code: string;
  readonly title: string;
  /** One sentence, for people. */
  readonly detail: string;
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  sendText(response, status, `${JSON.stringify(body)}\n`, 'application/json; charset=utf-8');
}

export function sendProblem(response: ServerResponse, problem: Problem): void {
  sendText(response, problem.status, `${JSON.stringify(problem)}\n`, 'application/problem+json');
}

/** Sends the whole answer; for HEAD node keeps the body back by itself. */
export function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  contentType: string,
): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  response.end(text);
}
