// Records as they lie in the store: JSON with a format number. A format that this release does not know is refused in
// words, never guessed.
import { z } from 'zod';
import { AppError, messageOf } from '../../shared/errors/app-error.js';
import type { Entry } from './port.js';

/** The format that this release writes, and the newest that it reads. */
export const RECORD_FORMAT = 1;

const withFormat = z.looseObject({ format: z.number() });

export function encodeRecord(record: object): Buffer {
  return Buffer.from(JSON.stringify({ format: RECORD_FORMAT, ...record }));
}

/**
 * The record of an entry. Throws AppError `store-format-unknown` (503) for a newer format, and `internal` where the value
 * is not a record of this kind.
 */
export function decodeRecord<T>(entry: Pick<Entry, 'key' | 'value'>, schema: z.ZodType<T>): T {
  const json = parseJson(entry);
  const { success, data } = withFormat.safeParse(json);
  if (success && data.format > RECORD_FORMAT) throw unknownFormat(entry.key, data.format);
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  throw damaged(entry.key, z.prettifyError(result.error).replaceAll('\n', ' '), result.error);
}

function parseJson({ key, value }: Pick<Entry, 'key' | 'value'>): unknown {
  try {
    return JSON.parse(value.toString());
  } catch (cause) {
    throw damaged(key, messageOf(cause), cause);
  }
}

function unknownFormat(key: string, format: number): AppError {
  return new AppError(
    'store-format-unknown',
    `the record ${key} has format ${format} and this manager knows formats up to ${RECORD_FORMAT}: run a newer release`,
    { status: 503 },
  );
}

function damaged(key: string, reason: string, cause: unknown): AppError {
  return new AppError(
    'internal',
    `the record ${key} in the store is damaged or not of ClusterFlux: ${reason}; restore the store from a backup`,
    { cause },
  );
}
