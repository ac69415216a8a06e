// The cluster's secret: a file with one secret per line. The first line signs, every line is accepted, so that it can be
// replaced in steps. What leaves this file are keys made from the lines, never the lines themselves.
import { hkdfSync } from 'node:crypto';
import { readText } from '../config/secret-file.js';
import { AppError } from '../errors/app-error.js';

/** At least one; the first signs, all are accepted. */
export type PeerKeys = readonly [Buffer, ...Buffer[]];

/** Shorter ones could be found by trying, by whoever hears one signed request. */
export const MIN_SECRET_BYTES = 16;

/** Each line is tried against each request; two are enough to replace a secret. */
export const MAX_SECRETS = 8;

const KEY_BYTES = 32;
/** Other uses of the same secret get keys of their own: what is made for one proves nothing to another. */
const PURPOSE = 'clusterflux peer requests v1';

export const SECRET_KEY = 'agent.secret-file';

/** @throws AppError `config-invalid` that names the file and the line, never its content. */
export function parseSecrets(path: string, text: string): PeerKeys {
  const keys = text.split(/\r?\n/).flatMap((line, index) => {
    const secret = Buffer.from(line.trim(), 'utf8');
    if (secret.length === 0) return [];
    if (secret.length < MIN_SECRET_BYTES) {
      throw refused(
        path,
        `its line ${index + 1} is shorter than ${MIN_SECRET_BYTES} bytes, which can be found by trying; make one with \`openssl rand -hex 32\``,
      );
    }
    return [deriveKey(secret)];
  });
  const [first, ...rest] = keys;
  if (first === undefined)
    throw refused(
      path,
      'it is blank; write a secret into it, for example of `openssl rand -hex 32`',
    );
  if (keys.length > MAX_SECRETS)
    throw refused(
      path,
      `it has more than ${MAX_SECRETS} lines; keep the newest secret and the one before`,
    );
  return [first, ...rest];
}

/** The keys of the file. Throws as `parseSecrets`, and where it can't be read. */
export async function readPeerKeys(path: string): Promise<PeerKeys> {
  return parseSecrets(path, await readText(SECRET_KEY, path));
}

function deriveKey(secret: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', PURPOSE, KEY_BYTES));
}

function refused(path: string, why: string): AppError {
  return new AppError(
    'config-invalid',
    `${SECRET_KEY}: the file ${path} can't be used because ${why}`,
  );
}
