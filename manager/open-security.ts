// What keeps strangers out of the manager: tokens and certificates, read and checked before anything is touched, and read
// again when their files change. What is wrong at the start is an error; what goes wrong later keeps what was good.
import type { Config } from '../shared/config/config.js';
import { readText } from '../shared/config/secret-file.js';
import type { Clock } from '../shared/lifecycle/clock.js';
import type { Runnable } from '../shared/lifecycle/run-group.js';
import type { Logger } from '../shared/log/logger.js';
import {
  certificateFiles,
  pathsOf,
  readCertificates,
  type CertificateFiles,
} from '../shared/security/certificates.js';
import { follow, type Followed } from '../shared/security/followed.js';
import { parseTokens, type Tokens } from '../shared/security/tokens.js';
import { ServedCertificates } from './http/security/server.js';

export interface Security {
  /** Undefined: plain HTTP. */
  readonly tls: ServedCertificates | undefined;
  /** Undefined: no tokens are asked for. */
  readonly tokens: (() => Tokens) | undefined;
  /** What follows the files. */
  readonly runnables: readonly Runnable[];
}

interface Surroundings {
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Throws AppError `config-invalid`. */
export async function openSecurity(
  manager: Config['manager'],
  surroundings: Surroundings,
): Promise<Security> {
  const { certFile, keyFile, clientCaFile, tokenFile } = manager;
  const files = certificateFiles(
    'manager',
    { certFile, keyFile, caFile: clientCaFile },
    'client-ca-file',
  );
  const tls = certFile === undefined ? undefined : await openCertificates(files, surroundings);
  const tokens = tokenFile === undefined ? undefined : await openTokens(tokenFile, surroundings);
  if (tokens !== undefined && tls === undefined) {
    surroundings.logger.warn('tokens travel in clear: anybody on the way can read and use them', {
      reason: 'manager.token-file is set, and manager.cert-file is not',
    });
  }
  return {
    tls: tls?.served,
    tokens: tokens && (() => tokens.current),
    runnables: [
      ...(tls === undefined ? [] : [following('certificates', tls.followed)]),
      ...(tokens === undefined ? [] : [following('tokens', tokens)]),
    ],
  };
}

function following(name: string, followed: Followed<unknown>): Runnable {
  return { name, phase: 'workers', start: (signal) => followed.run(signal) };
}

async function openCertificates(files: CertificateFiles, surroundings: Surroundings) {
  const followed = await follow({
    ...surroundings,
    what: 'certificates',
    paths: pathsOf(files),
    read: () => readCertificates(files, surroundings.clock.nowMs()),
    onChange: (certificates) => {
      served.replace(certificates);
    },
  });
  const served = new ServedCertificates(followed.current);
  return { served, followed };
}

function openTokens(path: string, surroundings: Surroundings): Promise<Followed<Tokens>> {
  const key = 'manager.token-file';
  return follow({
    ...surroundings,
    what: 'tokens',
    paths: [path],
    read: async () => parseTokens(await readText(key, path), `${key} ${path}`),
  });
}
