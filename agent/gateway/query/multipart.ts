// Multipart forms: fields, and the query in the file `q`, as `curl -F "q=@file"` sends it. Other files are read over.
import type { IncomingMessage } from 'node:http';
import { Busboy } from '@fastify/busboy';
import { AppError, messageOf } from '../../../shared/errors/app-error.js';

/** Go keeps 32 MB of a form in memory, and the rest in files. Nobody writes a query of that size. */
const MAX_FILE_BYTES = 25_000_000;
const MAX_FIELD_BYTES = 10 * 1024 * 1024;
const MAX_PARTS = 100;

export interface MultipartForm {
  /** First values by name. */
  readonly fields: ReadonlyMap<string, string>;
  /** Of the first file `q`. */
  readonly file: string | undefined;
}

/** Throws AppError `body-invalid`: 400 for what is no such form, 413 for one that is too large. */
export async function readMultipart(
  request: IncomingMessage,
  contentType: string,
): Promise<MultipartForm> {
  try {
    return await parse(request, contentType);
  } catch (error) {
    request.resume();
    if (error instanceof AppError) throw error;
    const why = messageOf(error);
    throw new AppError('body-invalid', `reading the multipart form of a query: ${why}`, {
      status: 400,
      cause: error,
    });
  }
}

function parse(request: IncomingMessage, contentType: string): Promise<MultipartForm> {
  const fields = new Map<string, string>();
  let file: string | undefined;
  return new Promise((resolve, reject) => {
    const form = new Busboy({
      headers: { 'content-type': contentType },
      limits: { fileSize: MAX_FILE_BYTES, fieldSize: MAX_FIELD_BYTES, parts: MAX_PARTS },
    });
    form.on('field', (name, value) => {
      if (!fields.has(name)) fields.set(name, value);
    });
    form.on('file', (name, stream) => {
      const chunks: Buffer[] = [];
      const isQuery = name === 'q' && file === undefined;
      stream.on('data', (chunk: Buffer) => {
        if (isQuery) chunks.push(chunk);
      });
      stream.on('limit', () => {
        reject(tooLarge(MAX_FILE_BYTES));
      });
      stream.on('end', () => {
        if (isQuery) file = Buffer.concat(chunks).toString();
      });
    });
    form.on('error', reject);
    form.on('finish', () => {
      resolve({ fields, file });
    });
    request.once('error', reject);
    request.once('close', () => {
      if (!request.complete) reject(new AppError('aborted', 'the client went away'));
    });
    request.pipe(form);
  });
}

export function tooLarge(maxBytes: number): AppError {
  return new AppError(
    'body-invalid',
    `reading the body of a query: it has more than ${maxBytes.toString()} bytes; send fewer statements at once`,
    { status: 413 },
  );
}
