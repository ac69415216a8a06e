// Secrets and certificates come from files, never from the configuration itself: so they are in no process list and no `config print`.
import { readFile } from 'node:fs/promises';
import { AppError, messageOf } from '../errors/app-error.js';

/**
 * The first line of the file, without its line end.
 * @param key the key that names the file, for the error.
 * @throws AppError `config-invalid` where it can't be read or its first line is empty.
 */
export async function readSecret(key: string, file: string): Promise<string> {
  const first = (await readSecretLines(key, file))[0];
  if (first === undefined)
    throw new AppError('config-invalid', `${key}: the file ${file} is empty`);
  return first;
}

/** All lines that are not empty, in order. Throws as `readSecret`, but for an empty file. */
export async function readSecretLines(key: string, file: string): Promise<string[]> {
  const text = await readText(key, file);
  return text.split(/\r?\n/).filter((line) => line !== '');
}

/** The whole file, for certificates and keys. Throws AppError `config-invalid` where it can't be read. */
export async function readText(key: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new AppError('config-invalid', `${key}: reading ${file} failed: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
