// Finds the real servers that the tests run against: in $PATH, else where `make deps` unpacked them.
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';

/** Below the checkout: what `make deps` fetches. */
const UNPACKED = join('.tools', 'usr', 'bin');

/** The path of a program. Rejects with a sentence that says how to get it. */
export async function findProgram(name: string): Promise<string> {
  const checkout = resolve(import.meta.dirname, '..', '..');
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), join(checkout, UNPACKED)];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Not here: the next folder may have it.
    }
  }
  throw new Error(`${name} is neither in $PATH nor in ${UNPACKED}: run "make deps"`);
}
