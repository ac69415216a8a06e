// The agent's own port: health, metrics and status for this machine, and the routes for its peers. Puts them together, and
// follows the files of secret and certificates.
import type { IncomingMessage } from 'node:http';
import type { Registry } from 'prom-client';
import type { Address } from '../../shared/config/address.js';
import type { AgentConfig } from '../../shared/config/config.js';
import type { StatusServer, StatusServerOptions } from '../../shared/http/status-server.js';
import { createStatusServer } from '../../shared/http/status-server.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Logger } from '../../shared/log/logger.js';
import type { PeerRoutesDeps } from './peer-routes.js';
import { peerRoutes } from './peer-routes.js';
import type { PeerSecurity } from './peer-security.js';
import { hasVerifiedCertificate } from './peer-security.js';
import { PeerServer } from './peer-server.js';

export interface PeerEndpointOptions extends PeerRoutesDeps {
  readonly agent: Pick<
    AgentConfig,
    'bindAddress' | 'insecure' | 'maxConnections' | 'maxAuthFailures'
  >;
  /** The uid of this agent. */
  readonly uid: string;
  readonly security: PeerSecurity;
  readonly registry: Registry;
  readonly readiness: StatusServerOptions['readiness'];
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface PeerEndpoint {
  readonly scheme: 'http' | 'https';
  /** Throws as `StatusServer.listen`. */
  listen(): Promise<Address>;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

/** Prefix of what only peers ask. */
const PEER_PREFIX = '/peer/';

export function createPeerEndpoint(options: PeerEndpointOptions): PeerEndpoint {
  const { agent, security, registry, logger, readiness, status, clock, uid } = options;
  const server: StatusServer = createStatusServer({
    address: agent.bindAddress,
    key: 'agent.bind-address',
    registry,
    logger,
    readiness,
    status,
    tls: security.certificates?.current,
    isTrusted: (request) =>
      agent.insecure || isSameMachine(request) || hasVerifiedCertificate(security, request),
    maxConnections: agent.maxConnections,
  });
  const peers = new PeerServer({
    uid,
    security,
    routes: peerRoutes(options),
    clock,
    logger,
    maxFailures: agent.maxAuthFailures,
  });
  server.routeBelow(PEER_PREFIX, (request, response) => peers.handle(request, response));
  security.onCertificates((certificates) => {
    server.setCertificates(certificates);
  });
  return {
    scheme: security.certificates === undefined ? 'http' : 'https',
    listen: () => server.listen(),
    close: () => server.close(),
  };
}

/** By the address of the connection alone: what a header says of other addresses is anybody's word. */
function isSameMachine({ socket }: IncomingMessage): boolean {
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return address === '::1' || address.startsWith('127.');
}
