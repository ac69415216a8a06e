// A certificate with its key and its authorities, read from PEM files and checked before anything uses them: what is
// expired, or does not fit, is said in one sentence instead of failing in every handshake.
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { readText } from '../config/secret-file.js';
import { AppError, messageOf } from '../errors/app-error.js';

/** One key of the configuration and the file that it names. */
export interface NamedFile {
  /** e.g. `manager.cert-file` */
  readonly key: string;
  readonly path: string | undefined;
}

export interface CertificateFiles {
  readonly cert: NamedFile;
  readonly key: NamedFile;
  /** Authorities; a bundle of several is fine. */
  readonly ca: NamedFile;
}

/** PEM texts, as node:tls takes them. What no file was named for is undefined. */
export interface Certificates {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
}

/** TLS 1.0 and 1.1 are broken; everything since 2018 speaks 1.2. */
export const MIN_TLS_VERSION = 'TLSv1.2';

/** The three keys of a section, e.g. `manager` with `client-ca-file`. */
export function certificateFiles(
  section: string,
  files: {
    readonly certFile?: string | undefined;
    readonly keyFile?: string | undefined;
    readonly caFile?: string | undefined;
  },
  caKey = 'ca-file',
): CertificateFiles {
  return {
    cert: { key: `${section}.cert-file`, path: files.certFile },
    key: { key: `${section}.key-file`, path: files.keyFile },
    ca: { key: `${section}.${caKey}`, path: files.caFile },
  };
}

/** The paths that are named. */
export function pathsOf({ cert, key, ca }: CertificateFiles): string[] {
  return [cert.path, key.path, ca.path].filter((path) => path !== undefined);
}

/**
 * Reads the files and checks that they are certificates, valid at `nowMs`, and that the key belongs to the certificate.
 * @throws AppError `config-invalid` for what is wrong first.
 */
export async function readCertificates(
  files: CertificateFiles,
  nowMs: number,
): Promise<Certificates> {
  const [cert, key, ca] = await Promise.all([read(files.cert), read(files.key), read(files.ca)]);
  if (ca !== undefined) checkAuthorities(ca, files.ca, nowMs);
  if (cert !== undefined) {
    const certificate = parseCertificate(cert, files.cert);
    checkValidity(certificate, files.cert, nowMs);
    if (key !== undefined && !certificate.checkPrivateKey(parseKey(key, files.key))) {
      refuse(
        files.key,
        `it is not the key of the certificate in ${files.cert.key} ${files.cert.path ?? ''}; name the two that belong together`,
      );
    }
  }
  try {
    createSecureContext({ cert, key, ca, minVersion: MIN_TLS_VERSION });
  } catch (error) {
    refuse(files.cert, `TLS can't use it: ${messageOf(error)}`, error);
  }
  return { cert, key, ca };
}

async function read({ key, path }: NamedFile): Promise<string | undefined> {
  return path === undefined ? undefined : readText(key, path);
}

/** Of a bundle, one that is valid is enough: during a rotation the old authority may run out. */
function checkAuthorities(pem: string, file: NamedFile, nowMs: number): void {
  const blocks = pem.match(/-----BEGIN [^-]*CERTIFICATE-----[^-]+-----END [^-]*CERTIFICATE-----/g);
  if (blocks === null) refuse(file, 'it has no certificate in PEM form');
  const certificates = blocks.map((block) => parseCertificate(block, file));
  const first = certificates[0];
  if (first === undefined || certificates.some((each) => isValid(each, nowMs))) return;
  checkValidity(first, file, nowMs);
}

function parseCertificate(pem: string, file: NamedFile): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    refuse(file, `it is not a certificate in PEM form (${messageOf(error)})`, error);
  }
}

function parseKey(pem: string, file: NamedFile): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    // The library's message names the kind of damage and never the content.
    refuse(
      file,
      `it is not a private key in PEM form without a passphrase (${messageOf(error)})`,
      error,
    );
  }
}

function isValid({ validFrom, validTo }: X509Certificate, nowMs: number): boolean {
  return Date.parse(validFrom) <= nowMs && nowMs <= Date.parse(validTo);
}

function checkValidity(certificate: X509Certificate, file: NamedFile, nowMs: number): void {
  if (isValid(certificate, nowMs)) return;
  const isExpired = Date.parse(certificate.validTo) < nowMs;
  const [word, text] = isExpired
    ? ['expired at', certificate.validTo]
    : ['is not valid before', certificate.validFrom];
  refuse(
    file,
    `the certificate ${word} ${new Date(text).toISOString()}; replace it, or correct this machine's clock`,
  );
}

function refuse({ key, path }: NamedFile, reason: string, cause?: unknown): never {
  throw new AppError('config-invalid', `${key} ${path ?? ''}: ${reason}`, { cause });
}
