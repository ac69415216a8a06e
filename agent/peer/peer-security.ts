// What this agent and its peers know each other by: the cluster's secret, certificates, or nothing (then only loopback
// listens, unless a person said otherwise). Both follow their files.
import type { TLSSocket } from 'node:tls';
import type { IncomingMessage } from 'node:http';
import type { AgentConfig } from '../../shared/config/config.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Logger } from '../../shared/log/logger.js';
import type { PeerKeys } from '../../shared/peer-auth/secret.js';
import { readPeerKeys } from '../../shared/peer-auth/secret.js';
import type { Certificates } from '../../shared/security/certificates.js';
import { certificateFiles, pathsOf, readCertificates } from '../../shared/security/certificates.js';
import type { Followed } from '../../shared/security/followed.js';
import { follow } from '../../shared/security/followed.js';

export type PeerFiles = Pick<AgentConfig, 'secretFile' | 'certFile' | 'keyFile' | 'caFile'>;

export interface PeerSecurity {
  /** Undefined without `agent.secret-file`. */
  readonly keys: Pick<Followed<PeerKeys>, 'current'> | undefined;
  /** Undefined without `agent.cert-file`: peers talk http then. */
  readonly certificates: Pick<Followed<Certificates>, 'current'> | undefined;
  /** Each end shows a certificate of `agent.ca-file`. */
  readonly isMutual: boolean;
  /** Told of certificates that are new, once they are taken. */
  onCertificates(listener: (certificates: Certificates) => void): void;
  /** Follows the files until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
}

/** Throws AppError `config-invalid` for a file that can't be read, a secret that is too short, a certificate that is no good. */
export async function openPeerSecurity(
  agent: PeerFiles,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<PeerSecurity> {
  const { secretFile, certFile, caFile } = agent;
  const listeners = new Set<(certificates: Certificates) => void>();
  const keys =
    secretFile === undefined
      ? undefined
      : await follow({
          what: 'secret',
          paths: [secretFile],
          read: () => readPeerKeys(secretFile),
          clock,
          logger,
        });
  const files = certificateFiles('agent', agent);
  const certificates =
    certFile === undefined
      ? undefined
      : await follow({
          what: 'certificates',
          paths: pathsOf(files),
          read: () => readCertificates(files, clock.nowMs()),
          onChange: (value) => {
            for (const listener of listeners) listener(value);
          },
          clock,
          logger,
        });
  return {
    keys,
    certificates,
    isMutual: certificates !== undefined && caFile !== undefined,
    onCertificates: (listener) => void listeners.add(listener),
    run: async (signal) => {
      await Promise.all([keys?.run(signal), certificates?.run(signal)]);
    },
  };
}

/** True where the other end showed a certificate of our authority. */
export function hasVerifiedCertificate(
  { isMutual }: PeerSecurity,
  request: IncomingMessage,
): boolean {
  return isMutual && (request.socket as Partial<TLSSocket>).authorized === true;
}
