// The composition root of the agent: what is opened, what runs, and the order in which it ends.
import type { Registry } from 'prom-client';
import type { Address } from '../shared/config/address.js';
import { addressUrl } from '../shared/config/address.js';
import type { Config } from '../shared/config/config.js';
import type { BuildInfo } from '../shared/lifecycle/build-info.js';
import type { Clock } from '../shared/lifecycle/clock.js';
import { systemClock } from '../shared/lifecycle/clock.js';
import { createReadyFile } from '../shared/lifecycle/ready-file.js';
import type { Runnable } from '../shared/lifecycle/run-group.js';
import { runGroup } from '../shared/lifecycle/run-group.js';
import type { Logger } from '../shared/log/logger.js';
import { encodeSnapshot } from '../shared/meta/codec.js';
import { assemble, type Agent } from './assemble.js';
import { openPorts, type OpenPorts } from './open-ports.js';
import { createPeerEndpoint } from './peer/peer-endpoint.js';
import type { DataPlane } from './gateway/data-plane.js';
import { createDataPlane } from './gateway/data-plane.js';
import type { Hello } from './peer/peer-routes.js';
import { PEER_CHANNEL } from './peer/peer-routes.js';
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
  const agent = assemble({ ...options, address: () => bound, dataPlane: () => dataPlane }, opened);
  let dataPlane: DataPlane;
  try {
    await agent.view.load();
    dataPlane = await createDataPlane({
      ...options,
      ports: opened,
      view: agent.view,
      security,
      reconciler: agent.reconciler,
      remoteView: agent.remoteView,
      passwords: agent.passwords,
      appliedVersion: () => agent.status.appliedVersion,
      onReport: agent.onReport,
      influxd: () => influxdOf(agent),
      clock,
    });
  } catch (error) {
    await opened.close();
    throw error;
  }
  const server = createPeerEndpoint({
    agent: config.agent,
    uid: opened.state.identity.uid,
    security,
    registry: options.registry,
    readiness: () => agent.status.readiness(),
    status: () => agent.status.view(),
    hello: () => helloOf(options, opened, agent),
    metadata: async (aborted) => encodeSnapshot(await opened.influxd.readMemory(aborted)),
    more: dataPlane.routes,
    clock,
    logger,
  });
  let gatewayBound: Address | undefined;
  try {
    bound = await server.listen();
    gatewayBound = await dataPlane.listen();
  } catch (error) {
    await server.close();
    await opened.close();
    throw error;
  }
  const url = addressUrl(bound, server.scheme);
  const gateway = gatewayBound && addressUrl(gatewayBound, schemeOf(config));
  logger.info('listening', { target: url, cluster: config.agent.cluster, gateway });
  const runnables: Runnable[] = [
    {
      name: 'ready-file',
      phase: 'drain',
      start: async (aborted) => {
        await agent.status.whenStarted(aborted);
        await readyFile.write({ status: url, gateway: gateway ?? null, pid: process.pid });
        logger.info('ready', { target: url });
      },
      stop: () => readyFile.remove(),
    },
    {
      name: 'serving',
      phase: 'workers',
      start: (aborted) => noteServing(dataPlane, agent, clock, aborted),
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
        await firstAnswer(agent, aborted);
        await agent.loop.run(aborted);
      },
    },
    agent.backups,
    agent.events,
    agent.restarts,
    ...dataPlane.runnables,
    { name: 'ports', phase: 'ports', stop: () => opened.closeConnections() },
    { name: 'state', phase: 'flush', stop: () => opened.closeState() },
  ];
  return runGroup(runnables, { logger, signal });
}

/** Where managers answer, what the cluster has is known before the first tick, which would say else that nobody does. */
async function firstAnswer({ status, remoteView }: Agent, signal: AbortSignal): Promise<void> {
  if (status.currentStanding.kind !== 'member') return;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(FIRST_ANSWER_MS)]);
  try {
    await remoteView.refresh(limit);
  } catch (error) {
    if (signal.aborted) throw error;
    // The loop asks again, and says what is wrong.
  }
}

const FIRST_ANSWER_MS = 500;

/** Asked often, because a client may wait for the ready file, and only until it is so once. */
const SERVING_EVERY_MS = 20;

async function noteServing(
  dataPlane: DataPlane,
  { status }: Agent,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!dataPlane.isServing()) await clock.sleep(SERVING_EVERY_MS, signal);
  status.noteServing();
}

function schemeOf({ gateway }: Config): 'http' | 'https' {
  return gateway.certFile === undefined ? 'http' : 'https';
}

function influxdOf({ status }: Agent): { version: string | undefined; answers: boolean } {
  const { influxd } = status.view();
  return { version: influxd.version ?? undefined, answers: influxd.answers };
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
    peer: PEER_CHANNEL,
  };
}
