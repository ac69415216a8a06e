// The composition root of the agent: what is opened, what runs, and the order in which it ends.
import type { Registry } from 'prom-client';
import { addressUrl } from '../shared/config/address.js';
import type { Config } from '../shared/config/config.js';
import type { BuildInfo } from '../shared/lifecycle/build-info.js';
import { systemClock } from '../shared/lifecycle/clock.js';
import { createReadyFile } from '../shared/lifecycle/ready-file.js';
import type { Runnable } from '../shared/lifecycle/run-group.js';
import { runGroup } from '../shared/lifecycle/run-group.js';
import type { Logger } from '../shared/log/logger.js';
import { encodeSnapshot } from '../shared/meta/codec.js';
import { assemble, type Agent } from './assemble.js';
import { openPorts, type OpenPorts } from './open-ports.js';
import { createPeerEndpoint } from './peer/peer-endpoint.js';
import type { Hello } from './peer/peer-routes.js';
import { openPeerSecurity } from './peer/peer-security.js';

export interface AgentOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Path of `--ready-file`. */
  readonly readyFile: string | undefined;
  /** Aborted when the agent shall stop. */
  readonly signal: AbortSignal;
  readonly build: BuildInfo;
}

/**
 * Runs an agent until the signal is aborted; resolves to the exit code. Throws AppError for what keeps it from starting:
 * `address-in-use`, `already-running`, `state-unwritable`, `state-not-current`, `config-invalid`. Managers and influxd
 * that are away are not among them.
 */
export async function runAgent(options: AgentOptions): Promise<number> {
  const { config, logger, signal } = options;
  const readyFile = createReadyFile(options.readyFile);
  // One that a crash left would claim that this agent is ready.
  await readyFile.remove();
  const clock = systemClock();
  const security = await openPeerSecurity(config.agent, { clock, logger });
  const opened = await openPorts(config, logger);
  let bound = config.agent.bindAddress;
  const agent = assemble({ ...options, address: () => bound }, opened);
  const server = createPeerEndpoint({
    agent: config.agent,
    uid: opened.state.identity.uid,
    security,
    registry: options.registry,
    readiness: () => agent.status.readiness(),
    status: () => agent.status.view(),
    hello: () => helloOf(options, opened, agent),
    metadata: async (aborted) => encodeSnapshot(await opened.influxd.readMemory(aborted)),
    clock,
    logger,
  });
  try {
    bound = await server.listen();
  } catch (error) {
    await opened.close();
    throw error;
  }
  const url = addressUrl(bound, server.scheme);
  logger.info('listening', { target: url, cluster: config.agent.cluster });
  const runnables: Runnable[] = [
    {
      name: 'ready-file',
      phase: 'drain',
      start: async (aborted) => {
        await agent.status.whenStarted(aborted);
        await readyFile.write({ status: url, gateway: null, pid: process.pid });
        logger.info('ready', { target: url });
      },
      stop: () => readyFile.remove(),
    },
    { name: 'status-server', phase: 'ingress', stop: () => server.close() },
    { name: 'peer-security', phase: 'workers', start: (aborted) => security.run(aborted) },
    { name: 'account', phase: 'workers', start: (aborted) => opened.followAccount(aborted) },
    agent.control,
    agent.membership,
    agent.probe,
    {
      name: 'sync',
      phase: 'workers',
      start: async (aborted) => {
        await agent.status.whenAnswered(aborted);
        await agent.loop.run(aborted);
      },
    },
    agent.backups,
    agent.events,
    agent.restarts,
    { name: 'ports', phase: 'ports', stop: () => opened.closeConnections() },
    { name: 'state', phase: 'flush', stop: () => opened.closeState() },
  ];
  return runGroup(runnables, { logger, signal });
}

/** What peers are told of this node. */
function helloOf({ config, build }: AgentOptions, { state }: OpenPorts, agent: Agent): Hello {
  const { node, influxd } = agent.status.view();
  return {
    uid: state.identity.uid,
    id: node,
    cluster: config.agent.cluster,
    versions: {
      agent: build.version,
      ...(influxd.version === null ? {} : { influxd: influxd.version }),
    },
    influxd: { answers: influxd.answers },
    version: agent.status.appliedVersion,
  };
}
