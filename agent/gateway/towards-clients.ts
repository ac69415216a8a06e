// The side of the data plane that clients see: who they are, what they may do, writes, queries, and the server in front of all
// that. It reaches owners by what towards-owners.ts gives it, and starts nothing.
import { isLoopback } from '../../shared/config/address.js';
import { certificateFiles, pathsOf, readCertificates } from '../../shared/security/certificates.js';
import { follow } from '../../shared/security/followed.js';
import { AuthProbe } from './auth/auth-probe.js';
import { createBcryptPool } from './auth/bcrypt-pool.js';
import { createGatewayAuth } from './auth/gateway-auth.js';
import type { DataPlaneDeps } from './data-plane.js';
import { ClusterStatements } from './metadata/cluster-statements.js';
import { LivePeers } from './metadata/live-peers.js';
import { seal, sealedPasswordSchema, unseal } from './metadata/passwords.js';
import { QueryHandler } from './query/query-handler.js';
import type { Gateway, GatewayDeps } from './server.js';
import { createGateway } from './server.js';
import type { OwnersSide } from './towards-owners.js';
import { createWritePath } from './write/write-path.js';

export interface ClientsSide {
  /** Undefined where it is switched off. */
  readonly gateway: FollowedGateway | undefined;
  readonly probe: AuthProbe;
  /** Takes a password that a peer sends beside a statement; false where it can't be opened, or stands for another hash. */
  readonly takePassword: (body: unknown) => Promise<boolean>;
  readonly close: () => Promise<void>;
}

interface FollowedGateway {
  readonly server: Gateway;
  /** Follows the files of its certificates. */
  run(signal: AbortSignal): Promise<void>;
}

/** Whose turn it is among those who have passwords checked; clients are named by their addresses. */
const FROM_PEERS = 'peers';

export async function openClientsSide(
  deps: DataPlaneDeps,
  { owners, handoff, announcer, client }: OwnersSide,
): Promise<ClientsSide> {
  const { config, ports, view, security, registry, clock, logger } = deps;
  const { metadata, placement, nodes: directory, deletes } = view;
  const isProtected = security.keys !== undefined || security.isMutual;
  const runner = new ClusterStatements({
    ...deps,
    control: ports.influxd,
    metadata,
    peers: new LivePeers({ directory, client, logger }),
    deletes,
    placementApi: view.api,
    seal: (password) => seal(password, security.keys?.current),
    maySend: ({ address }) => isProtected || isLoopback(address.host),
  });
  const { url, ca } = ports.access;
  const probe = new AuthProbe({ url, ca, clock, logger });
  const bcrypt = createBcryptPool();
  const auth = createGatewayAuth({
    bcrypt,
    mode: config.gateway.auth,
    metadata,
    isMetadataKnown: () => metadata.isKnown,
    influxd: probe,
    jwtSecret: ports.access.jwtSecret,
    clock,
    maxFailuresPerMinute: config.gateway.maxAuthFailures,
  });
  const common = { auth, metadata, placement, directory, registry, logger };
  const points = createWritePath({
    ...common,
    config: config.gateway,
    hintAfterMs: config.handoff.hintAfterMs,
    sender: owners,
    handoff,
    news: announcer,
    clock,
  });
  const query = new QueryHandler({ ...common, reader: owners, runner, points });
  const handlers = { isAuthOn: () => auth.isOn, write: points.handler, query };
  return {
    gateway: await openGateway(deps, handlers),
    probe,
    takePassword: async (body) => {
      const sealed = sealedPasswordSchema.safeParse(body);
      const known = sealed.success ? unseal(sealed.data, security.keys?.current) : undefined;
      if (known === undefined) return false;
      // Whoever sent it: what does not stand for the hash that the cluster has is no user's password.
      const { text, hash } = known;
      if ((await bcrypt.compare(FROM_PEERS, text, hash)) !== 'right') return false;
      deps.passwords.note(known);
      return true;
    },
    close: () => auth.close(),
  };
}

async function openGateway(
  { config, influxd, clock, logger }: DataPlaneDeps,
  handlers: Pick<GatewayDeps, 'isAuthOn' | 'write' | 'query'>,
): Promise<FollowedGateway | undefined> {
  const { gateway } = config;
  if (!gateway.enabled) return undefined;
  const files = certificateFiles('gateway', gateway);
  const certificates =
    gateway.certFile === undefined
      ? undefined
      : await follow({
          what: 'gateway certificates',
          paths: pathsOf(files),
          read: () => readCertificates(files, clock.nowMs()),
          onChange: (value) => {
            server.setCertificates(value);
          },
          clock,
          logger,
        });
  const server = createGateway({
    ...handlers,
    config: gateway,
    tls: certificates?.current,
    influxd,
    logger,
  });
  return { server, run: async (signal) => certificates?.run(signal) };
}
