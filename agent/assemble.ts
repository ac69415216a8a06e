// Makes the parts of a running agent and ties them together: who is told of what. Starts none of them.
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { Address } from '../shared/config/address.js';
import { advertisedAddress, formatAddress } from '../shared/config/address.js';
import type { Config } from '../shared/config/config.js';
import type { BuildInfo } from '../shared/lifecycle/build-info.js';
import { systemClock } from '../shared/lifecycle/clock.js';
import type { Logger } from '../shared/log/logger.js';
import { encodeSnapshot } from '../shared/meta/codec.js';
import { openMetaBackups } from './influxd/meta-backups.js';
import { Availability } from './manager-api/availability.js';
import { createHttpClusterLocks } from './manager-api/cluster-locks.js';
import { createHttpMembershipApi } from './manager-api/http-membership-api.js';
import { EventReporter } from './events/event-reporter.js';
import { createHttpEventsApi } from './manager-api/http-events-api.js';
import { ClusterView } from './gateway/cluster-view.js';
import type { DataPlane } from './gateway/data-plane.js';
import { KnownPasswords } from './gateway/metadata/passwords.js';
import { PEER_VERSION } from './gateway/placement/node-list.js';
import { makeReconciler } from './make-reconciler.js';
import type { StatementReconciler } from './membership/gated-reconciler.js';
import { GatedReconciler } from './membership/gated-reconciler.js';
import { Membership } from './membership/membership.js';
import { OrderBook } from './membership/orders.js';
import type { OpenPorts } from './open-ports.js';
import { RestartKeeper } from './restart/keeper.js';
import { describeRestart, restartWriterOf, Restarts } from './restart/restarts.js';
import { BackupKeeper } from './state/backup-keeper.js';
import { SOCKET_FILE } from './state/state-directory.js';
import { AgentStatus } from './status/agent-status.js';
import { ControlServer } from './status/control-server.js';
import { InfluxdProbe } from './status/influxd-probe.js';
import { createAgentMetrics } from './status/metrics.js';
import { syncOnce } from './status/sync-once.js';
import { PEER_CHANNEL } from './peer/peer-routes.js';
import { SyncLoop } from './sync/loop.js';
import type { TickReport } from './sync/port.js';
import type { RemoteView } from './sync/remote-view.js';

export interface AssembleOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly build: BuildInfo;
  /** Where the status server listens; it does before anything registers. */
  readonly address: () => Address;
  /** Made after these parts, and before anything runs. */
  readonly dataPlane: () => Pick<DataPlane, 'hints' | 'noteInfluxd' | 'control'>;
  /** Aborted when the agent shall stop. */
  readonly signal: AbortSignal;
}

/** Below the state directory: the last good meta.db files of this node. */
export const BACKUP_DIRECTORY = 'meta-backups';

/** The parts that run, or are asked by those that do. */
export interface Agent {
  readonly status: AgentStatus;
  readonly membership: Membership;
  readonly probe: InfluxdProbe;
  readonly loop: SyncLoop;
  readonly control: ControlServer;
  readonly backups: BackupKeeper;
  readonly events: EventReporter;
  readonly restarts: RestartKeeper;
  readonly reconciler: StatementReconciler;
  readonly remoteView: RemoteView;
  readonly view: ClusterView;
  readonly passwords: KnownPasswords;
  /** Told of ticks that are made outside the loop. */
  readonly onReport: (report: TickReport) => void;
}

/** Makes the parts and ties them together; starts none of them. */
export function assemble(options: AssembleOptions, ports: OpenPorts): Agent {
  const { state, base, client, influxd } = ports;
  const { config, logger, registry } = options;
  const { cluster } = config.agent;
  const clock = systemClock();
  const status: AgentStatus = new AgentStatus({
    cluster,
    readyTimeoutMs: config.agent.readyTimeoutMs,
    clock,
    hints: () => options.dataPlane().hints(),
    shards: () => view.ownShards.localShards,
  });
  const metrics = createAgentMetrics(registry, status);
  const probe = new InfluxdProbe({
    influxd,
    lineage: () => base.state.lineage,
    clock,
    logger,
    onLook: (version) => {
      status.noteInfluxd(version);
      options.dataPlane().noteInfluxd(version !== undefined);
    },
  });
  const orders = new OrderBook({
    store: base,
    logger,
    onChange: () => {
      loop.wake();
    },
  });
  const events = new EventReporter({
    cluster,
    uid: state.identity.uid,
    nodeId: () => membership.nodeId,
    api: createHttpEventsApi(client),
    clock,
    logger,
  });
  const passwords = new KnownPasswords(clock);
  const restartWriter = restartWriterOf(config, influxd);
  const { reconciler: inner, remoteView } = makeReconciler(ports, {
    config,
    logger,
    writer: restartWriter,
    nodeId: () => membership.nodeId,
    orders,
    onEvent: (event) => {
      events.report(event);
    },
    passwordOf: (user, hash) => passwords.textOf(user, hash),
  });
  const reconciler = new GatedReconciler({
    inner,
    standing: () => status.currentStanding,
    trouble: () => availability.reason,
    pause: () => orders.pause,
    clock,
    onTick: (durationMs) => {
      metrics.noteTick(durationMs);
    },
  });
  const restarts = new Restarts({
    config,
    uid: state.identity.uid,
    nodeId: () => membership.nodeId,
    influxd,
    reconciler,
    refresh: (signal) => remoteView.refresh(signal),
    writer: restartWriter,
    locks: createHttpClusterLocks(client),
    clock,
    logger,
    onRestarting: (isRestarting) => {
      status.noteRestarting(isRestarting);
      loop.wake();
    },
    onOutcome: (result) => {
      metrics.noteRestart(result.kind);
      events.report({ kind: 'restart', text: describeRestart(result) });
    },
  });
  const restartKeeper = new RestartKeeper({
    procedure: restarts.procedure,
    influxd: restarts.configured,
    intervalMs: config.influxdb.restartIntervalMs,
    clock,
    logger,
    onNews: () => {
      loop.wake();
    },
  });
  const availability = new Availability(logger, (isAvailable) => {
    metrics.noteManagers(isAvailable);
  });
  const onReport = (report: TickReport) => {
    status.noteReport(restartKeeper.explained(report));
    metrics.noteReport(report);
  };
  const view: ClusterView = new ClusterView({
    config,
    ports,
    reconciler,
    remoteView,
    appliedVersion: () => status.appliedVersion,
    onReport,
    nodeId: () => membership.nodeId,
    mayAct: () => status.currentStanding.kind !== 'refused',
    clock,
    logger,
  });
  const loop = new SyncLoop({
    availability,
    reconciler,
    remoteView,
    metaDir: config.influxdb.metaDir,
    isPollingMeta: config.influxdb.metaPollMs !== undefined,
    longPollMs: config.agent.longPollMs,
    resyncMs: config.agent.resyncIntervalMs,
    logger,
    nowMs: () => clock.nowMs(),
    onReport,
  });
  const membership = new Membership({
    cluster,
    api: createHttpMembershipApi(client),
    state,
    clock,
    logger,
    availability,
    heartbeatIntervalMs: config.agent.heartbeatIntervalMs,
    deregisterOnStop: config.agent.deregisterOnStop,
    describe: () => ({
      hostname: hostname(),
      ips: ownAddresses(),
      bindAddress: formatAddress(
        advertisedAddress(options.address(), config.agent.advertiseAddress),
      ),
      versions: versionsOf(options.build, probe.answeringVersion),
      influxd: probe.facts,
    }),
    report: () => ({
      version: status.appliedVersion,
      state: status.state,
      influxd: probe.facts,
      pending: status.pendingCount,
      held: status.held,
      hints: options.dataPlane().hints(),
    }),
    onOrders: (ordered) => orders.note(ordered),
    onStanding: (standing) => {
      status.noteStanding(standing);
      loop.wake();
    },
    onNews: ({ version, incarnation }) => {
      const known = remoteView.tag;
      // The waiting read should have brought it: where it hangs in a dead connection, a new one will.
      if (known?.version !== version || known.incarnation !== incarnation) loop.abortPoll();
    },
    onDataPlaneNews: (news) => {
      view.note(news, options.signal);
    },
  });
  const control = new ControlServer({
    path: join(config.agent.stateDir, SOCKET_FILE),
    logger,
    sync: (mode, signal) => syncOnce({ mode, reconciler, remoteView, signal }),
    restart: (request, signal) => restarts.byHand(request, signal),
    status: () => status.view(),
    metadata: async (signal) => encodeSnapshot(await influxd.readMemory(signal)),
    handoff: (...call) => options.dataPlane().control(...call),
  });
  const backups = new BackupKeeper({
    backups: openMetaBackups(join(config.agent.stateDir, BACKUP_DIRECTORY)),
    readFile: (signal) => influxd.readFile(signal),
    content: () => (status.view()['in-step'] ? base.state.lineage?.content : undefined),
    clock,
    logger,
  });
  return {
    ...{ status, membership, probe, loop, control, backups, events, restarts: restartKeeper },
    ...{ reconciler, remoteView, view, passwords, onReport },
  };
}

function versionsOf(build: BuildInfo, influxd: string | undefined): Record<string, string> {
  return {
    agent: build.version,
    [PEER_VERSION]: String(PEER_CHANNEL),
    ...(influxd === undefined ? {} : { influxd }),
  };
}

/** The addresses of this machine that are not loopback. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => address);
}
