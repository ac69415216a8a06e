// The composition root of the agent: what is opened, what runs, and the order in which it ends.
import type { Registry } from 'prom-client';
import { addressUrl } from '../shared/config/address.js';
import type { Config } from '../shared/config/config.js';
import { createStatusServer } from '../shared/http/status-server.js';
import type { BuildInfo } from '../shared/lifecycle/build-info.js';
import { createReadyFile } from '../shared/lifecycle/ready-file.js';
import type { Runnable } from '../shared/lifecycle/run-group.js';
import { runGroup } from '../shared/lifecycle/run-group.js';
import type { Logger } from '../shared/log/logger.js';
import { assemble } from './assemble.js';
import { openPorts } from './open-ports.js';

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
  const opened = await openPorts(config, logger);
  let bound = config.agent.bindAddress;
  const agent = assemble({ ...options, address: () => bound }, opened);
  const server = createStatusServer({
    address: config.agent.bindAddress,
    key: 'agent.bind-address',
    registry: options.registry,
    logger,
    readiness: () => agent.status.readiness(),
    status: () => agent.status.view(),
  });
  try {
    bound = await server.listen();
  } catch (error) {
    await opened.close();
    throw error;
  }
  const url = addressUrl(bound);
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
    { name: 'ports', phase: 'ports', stop: () => opened.closeConnections() },
    { name: 'state', phase: 'flush', stop: () => opened.closeState() },
  ];
  return runGroup(runnables, { logger, signal });
}
