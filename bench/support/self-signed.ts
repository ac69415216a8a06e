// A certificate for 127.0.0.1, made by openssl for one run; undefined where this machine has no openssl.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface SelfSigned {
  readonly certFile: string;
  readonly keyFile: string;
  /** The certificate as PEM: what clients trust. */
  readonly ca: string;
}

export async function selfSigned(directory: string): Promise<SelfSigned | undefined> {
  const certFile = join(directory, 'cert.pem');
  const keyFile = join(directory, 'key.pem');
  const args = [
    ...['req', '-x509', '-nodes', '-days', '2', '-subj', '/CN=bench'],
    ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', keyFile, '-out', certFile],
  ];
  try {
    await promisify(execFile)('openssl', args, { timeout: 10_000 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return { certFile, keyFile, ca: await readFile(certFile, 'utf8') };
}
