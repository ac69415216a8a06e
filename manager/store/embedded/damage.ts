// What is said about files of the embedded store that this program must not touch: another format, or damaged.
import { AppError } from '../../../shared/errors/app-error.js';
import { decodeHeader, FORMAT, type FileHeader } from './records.js';

/** Checks a file's first frame. Throws AppError `store-format-unknown` where it is not what it should be. */
export function readHeader(
  payload: Buffer | undefined,
  path: string,
  expected: Pick<FileHeader, 'file' | 'generation'>,
): void {
  const header = decodeHeader(payload);
  if (header === undefined) throw damaged(path, 0);
  if (header.format !== FORMAT) {
    throw new AppError(
      'store-format-unknown',
      `opening ${path} failed because it has format ${header.format} and this version knows only format ${FORMAT}; use the version that wrote it, or a newer one`,
      { details: { path, format: header.format } },
    );
  }
  if (header.file !== expected.file || header.generation !== expected.generation) {
    throw damaged(path, 0);
  }
}

/** Damage that no crash of ours explains. Cutting it off would silently lose what was acknowledged, so a person decides. */
export function damaged(path: string, offset: number): AppError {
  return new AppError(
    'store-format-unknown',
    `opening ${path} failed because it is damaged at byte ${offset}; nothing was changed: restore the directory from a copy, or start with an empty one`,
    { details: { path, offset } },
  );
}

/** A file without which the others make no whole. */
export function missing(path: string): AppError {
  return new AppError(
    'store-format-unknown',
    `opening the embedded store failed because ${path} is missing; nothing was changed: restore the directory from a copy, or start with an empty one`,
    { details: { path } },
  );
}
