// Names that people give (clusters, idempotency keys) and how they are written into paths and store keys.
import { AppError } from '../errors/app-error.js';

/** The store's keys and file names stay far below every limit with this. */
export const MAX_NAME_BYTES = 255;

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const LONE_SURROGATE = /\p{Surrogate}/u;
const KEPT = /[A-Za-z0-9_.-]/;

/** Why `name` is not a legal name, as the end of a sentence; undefined where it is one. */
export function nameFault(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (name === '.' || name === '..')
    return `is ${JSON.stringify(name)}, which paths give a meaning`;
  if (LONE_SURROGATE.test(name)) return 'is not valid Unicode';
  if (CONTROL.test(name)) return 'has a control character';
  const bytes = Buffer.byteLength(name);
  return bytes > MAX_NAME_BYTES ? `has ${bytes} bytes of UTF-8` : undefined;
}

/**
 * Returns a legal name unchanged. Throws AppError `name-invalid` (400) that says which name, what is wrong and what is
 * allowed. `what` names the thing, e.g. `cluster name`.
 */
export function checkName(name: string, what: string): string {
  const fault = nameFault(name);
  if (fault === undefined) return name;
  throw new AppError('name-invalid', `the ${what} ${fault}; ${NAME_RULE}`, { status: 400 });
}

export const NAME_RULE = `1 to ${MAX_NAME_BYTES} bytes of UTF-8 without control characters, and not "." or ".."`;

/**
 * A name as one path segment or one part of a store key: every byte but letters, digits, `_`, `.` and `-` is
 * percent-encoded, so that a name never holds a slash and equal names give equal text.
 */
export function encodeName(name: string): string {
  let encoded = '';
  for (const byte of Buffer.from(name)) {
    const character = String.fromCharCode(byte);
    encoded += KEPT.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** The inverse of `encodeName`. Throws AppError `name-invalid` (400) where the escapes are broken. */
export function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch (cause) {
    throw new AppError(
      'name-invalid',
      `${JSON.stringify(encoded)} is not percent-encoded UTF-8; write % as %25`,
      { status: 400, cause },
    );
  }
}
