// The one way in which the gateway says no: influxd's form of an error, and two headers of ours that tell programs what it
// was and whether the same request may be sent again.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isAppError, type AppError } from '../../shared/errors/app-error.js';
import { packedError } from './msgpack.js';

/** Stable, for programs. influxd's own refusals are `bad-request`, `database-not-found` and so on. */
export const CODE_HEADER = 'X-Clusterflux-Code';
/** `safe`: the same request may be sent again, later. `no`: it would fail again. */
export const RETRY_HEADER = 'X-Clusterflux-Retry';
export const ERROR_HEADER = 'X-Influxdb-Error';

export interface GatewayError {
  readonly status: number;
  /** What the client reads. influxd's own words where influxd would have refused. */
  readonly error: string;
  readonly code: string;
  readonly isSafeToRetry?: boolean;
  /** For `Retry-After`. */
  readonly retryAfterSeconds?: number | undefined;
}

/** As long as influxd's. */
const MAX_HEADER_BYTES = 1024;

/** Sends the whole answer. JSON, or CSV where the client's Accept asks influxd for it. */
export function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  fault: GatewayError,
): void {
  const { status, error, code, isSafeToRetry = false, retryAfterSeconds } = fault;
  // influxd says who it is in a 401, and leaves its own header out.
  if (status === 401) response.setHeader('WWW-Authenticate', 'Basic realm="InfluxDB"');
  else response.setHeader(ERROR_HEADER, headerText(error));
  response.setHeader(CODE_HEADER, code);
  response.setHeader(RETRY_HEADER, isSafeToRetry ? 'safe' : 'no');
  if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', retryAfterSeconds);
  const { type, body } = render(request, error);
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  // As bytes: with a string Node would send the head as UTF-8 too, and the header's bytes would be encoded twice.
  response.end(Buffer.from(body));
}

/** What a thrown AppError becomes: its own status, code and sentence. */
export function errorOf(error: AppError): GatewayError {
  const { status, code, message, retryable, retryAfterSeconds } = error;
  return { status, code, error: message, isSafeToRetry: retryable, retryAfterSeconds };
}

/** What anything thrown becomes; only an AppError's text is for clients. */
export function errorOfAny(error: unknown): GatewayError {
  if (isAppError(error)) return errorOf(error);
  const text = 'answering this request failed; the log of the agent says why';
  return { status: 500, code: 'internal', error: text, isSafeToRetry: true };
}

/** JSON text as Go's encoder writes it: without <, > and & in plain. */
export function goJson(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]|\\b|\\f|\\\\/g,
    (found) => ESCAPES[found] ?? `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A pair of backslashes is matched only so that the b of `\\b` is not taken for an escape. */
const ESCAPES: Readonly<Record<string, string>> = {
  '\\b': '\\u0008',
  '\\f': '\\u000c',
  '\\\\': '\\\\',
};

function render(request: IncomingMessage, error: string): { type: string; body: string | Buffer } {
  const { accept } = request.headers;
  if (accept === 'application/x-msgpack') return { type: accept, body: packedError(error) };
  if (accept === 'application/csv' || accept === 'text/csv') {
    return { type: 'text/csv', body: `error\n${csvField(error)}\n` };
  }
  const isPretty = new URLSearchParams(request.url?.split('?')[1] ?? '').get('pretty') === 'true';
  const json = goJson(error);
  const body = isPretty ? `{\n    "error": ${json}\n}\n` : `{"error":${json}}\n`;
  return { type: 'application/json', body };
}

/** As Go's csv writer quotes. */
function csvField(text: string): string {
  return /^[ \t]|[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * The first bytes, in one line, as Node takes a header: one character per byte. influxd sends control characters as they are,
 * which many clients take for a broken answer: here they are blanks. At the ends there are none, as in all that Go sends.
 */
export function headerText(error: string): string {
  const bytes = Buffer.from(error).subarray(0, MAX_HEADER_BYTES).toString('latin1');
  return bytes.replace(/[\x00-\x08\x0a-\x1f\x7f]/g, ' ').replace(/^[ \t]+|[ \t]+$/g, '');
}
