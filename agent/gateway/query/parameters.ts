// The parameters of one /query request, from the URL, a form, or a multipart form with the query in a file, with the same
// precedence as influxd's (Go's). It refuses bodies beyond a limit, and reads no others.
import type { IncomingMessage } from 'node:http';
import { AppError, messageOf } from '../../../shared/errors/app-error.js';
import { readMultipart, tooLarge } from './multipart.js';
import type { QueryRequest } from './port.js';

/** As Go's ParseForm reads at most. */
const MAX_FORM_BYTES = 10 * 1024 * 1024;

const PARTIAL_HEADER = 'x-clusterflux-allow-partial';

/** Undefined: there is no query. Throws AppError `body-invalid` (400, 413), or what broke the request off. */
export async function readParameters(
  request: IncomingMessage,
  url: URLSearchParams,
): Promise<QueryRequest | undefined> {
  const { values, file } = await formOf(request, url);
  // An empty value in the body hides one in the URL, as in Go.
  const text = values('q').trim() || file;
  if (text === undefined) return undefined;
  const isChunked = values('chunked') === 'true';
  const { accept } = request.headers;
  return {
    text,
    database: values('db'),
    policy: values('rp'),
    chunkSize: isChunked ? chunkSizeOf(values('chunk_size')) : undefined,
    params: values('params') || undefined,
    isAsync: values('async') === 'true',
    isReadOnly: request.method === 'GET',
    allowsPartial: request.headers[PARTIAL_HEADER] === 'true',
    accept,
    form: {
      format: formatOf(accept),
      // Of the URL alone, as in influxd.
      isPretty: url.get('pretty') === 'true',
      isChunked,
      epoch: values('epoch').trim() || undefined,
    },
  };
}

interface Form {
  /** The first value; '' where there is none. */
  readonly values: (name: string) => string;
  readonly file: string | undefined;
}

async function formOf(request: IncomingMessage, url: URLSearchParams): Promise<Form> {
  const type = request.headers['content-type'] ?? '';
  const kind = request.method === 'POST' ? (type.split(';')[0] ?? '').trim().toLowerCase() : '';
  if (kind === 'application/x-www-form-urlencoded') {
    const body = new URLSearchParams((await readAll(request, MAX_FORM_BYTES)).toString());
    return { values: (name) => body.get(name) ?? url.get(name) ?? '', file: undefined };
  }
  if (kind === 'multipart/form-data') {
    const { fields, file } = await readMultipart(request, type);
    return { values: (name) => url.get(name) ?? fields.get(name) ?? '', file };
  }
  // Read and dropped, so that the connection can be used again.
  request.resume();
  return { values: (name) => url.get(name) ?? '', file: undefined };
}

async function readAll(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('aborted', `reading the body of a query: ${messageOf(error)}`);
  }
  return Buffer.concat(chunks);
}

/** Only these very words, as in influxd. */
export function formatOf(accept: string | undefined): 'json' | 'csv' | 'msgpack' {
  if (accept === 'application/csv' || accept === 'text/csv') return 'csv';
  return accept === 'application/x-msgpack' ? 'msgpack' : 'json';
}

/** Undefined: influxd's default, as for every text that is no number above 0. */
function chunkSizeOf(text: string): number | undefined {
  if (!/^\+?\d+$/.test(text)) return undefined;
  const size = Number(text);
  return size > 0 && Number.isSafeInteger(size) ? size : undefined;
}
