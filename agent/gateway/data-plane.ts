// The data plane of an agent, put together: what faces owners, what faces clients, what peers ask, and what runs beside. Each
// part's own file says what it does.
import type { Registry } from 'prom-client';
import type { Address } from '../../shared/config/address.js';
import type { Config } from '../../shared/config/config.js';
import { messageOf } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { repeat } from '../../shared/lifecycle/repeat.js';
import type { Runnable } from '../../shared/lifecycle/run-group.js';
import type { Logger } from '../../shared/log/logger.js';
import type { HeldHints } from '../manager-api/membership-port.js';
import type { StatementReconciler } from '../membership/gated-reconciler.js';
import type { OpenPorts } from '../open-ports.js';
import { dataRoutes } from '../peer/data-routes.js';
import type { PeerRoute } from '../peer/peer-routes.js';
import type { PeerSecurity } from '../peer/peer-security.js';
import type { TickReport } from '../sync/port.js';
import type { RemoteView } from '../sync/remote-view.js';
import type { ClusterView } from './cluster-view.js';
import { createHandoffControl } from './handoff/control.js';
import type { HintedHandoff } from './handoff/hinted-handoff.js';
import type { KnownPasswords } from './metadata/passwords.js';
import type { ClientsSide } from './towards-clients.js';
import { openClientsSide } from './towards-clients.js';
import type { OwnersSide } from './towards-owners.js';
import { openOwnersSide } from './towards-owners.js';

export interface DataPlaneDeps {
  readonly config: Config;
  readonly ports: OpenPorts;
  readonly view: ClusterView;
  readonly security: PeerSecurity;
  readonly reconciler: StatementReconciler;
  readonly remoteView: RemoteView;
  readonly passwords: KnownPasswords;
  readonly appliedVersion: () => number;
  readonly onReport: (report: TickReport) => void;
  readonly influxd: () => { readonly version: string | undefined; readonly answers: boolean };
  readonly registry: Registry;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface DataPlane {
  /** What peers ask of this node. */
  readonly routes: readonly PeerRoute[];
  readonly runnables: readonly Runnable[];
  /** Answers what `clusterflux handoff` asks of the agent beside it. */
  readonly control: ReturnType<typeof createHandoffControl>;
  readonly hints: () => readonly HeldHints[];
  /** Listens; undefined where the gateway is switched off. Throws as `Gateway.listen`. */
  listen(): Promise<Address | undefined>;
  /** The placement counts this node, what its server brought along is known, and points are taken directly. */
  isServing(): boolean;
  /** Told after each look at the local influxd. */
  noteInfluxd(answers: boolean): void;
}

/** A node that numbers no deletes itself finds those of others by the placement; nothing waits for this. */
const DELETES_EVERY_MS = 1_000;

/** Throws AppError `state-not-current`, `config-invalid` for the gateway's certificates, or the file system's error. */
export async function createDataPlane(deps: DataPlaneDeps): Promise<DataPlane> {
  const { view, ports } = deps;
  const { metadata, placement, nodes, ownShards } = view;
  const { uid } = ports.state.identity;
  const owners = await openOwnersSide(deps);
  const clients = await openClientsSide(deps, owners);
  const { handoff, gate } = owners;
  let isAnswering = false;
  return {
    routes: routesOf(deps, owners, clients),
    hints: () => heldHints(handoff),
    control: createHandoffControl(handoff),
    listen: async () => clients.gateway?.server.listen(),
    isServing: () => {
      const { id } = nodes.self;
      const isCounted = id !== undefined && placement.current.members.includes(id);
      return isCounted && metadata.isKnown && ownShards.isAdopted && gate.isOpen;
    },
    noteInfluxd: (answers) => {
      if (!answers) {
        ownShards.noteAway();
        gate.noteInfluxdAway();
      }
      if (answers && !isAnswering) handoff.nudge(uid);
      isAnswering = answers;
    },
    runnables: runnablesOf(deps, owners, clients),
  };
}

function routesOf(
  { config, view, influxd, clock }: DataPlaneDeps,
  { owner, words, gate, announcer }: OwnersSide,
  clients: ClientsSide,
): PeerRoute[] {
  const { metadata, deletes, ownShards } = view;
  return dataRoutes({
    owner,
    words,
    gate,
    stands: (holder, untold) => announcer.stands(holder, untold),
    isReady: () => ownShards.lookedAt !== undefined,
    monotonicMs: () => clock.monotonicMs(),
    reach: async (version, signal) => {
      // Who asks waits for the answer: without an influxd it can't be a good one.
      if (!influxd().answers) return false;
      return (await metadata.apply(version, signal)) >= version;
    },
    runDeletes: async (number, signal) => {
      if (!influxd().answers) return false;
      await deletes.runUpTo(number, signal);
      return deletes.applied >= number;
    },
    takePassword: (body) => clients.takePassword(body),
    isGuarded: config.influxdb.username !== undefined,
  });
}

function runnablesOf(
  { view, clock, logger }: DataPlaneDeps,
  owners: OwnersSide,
  { gateway, probe, close }: ClientsSide,
): Runnable[] {
  const { placement, ownShards } = view;
  const { handoff, announcer } = owners;
  const deletes = (signal: AbortSignal) => catchUpDeletes(view, logger, signal);
  return [
    {
      name: 'gateway',
      phase: 'ingress',
      start: async (signal) => gateway?.run(signal),
      stop: async () => gateway?.server.close(),
    },
    { name: 'placement', phase: 'workers', start: (signal) => placement.run(signal) },
    { name: 'own-shards', phase: 'workers', start: (signal) => ownShards.run(signal) },
    {
      name: 'words-of-hints',
      phase: 'workers',
      start: (signal) => announcer.run(signal),
      stop: () => {
        owners.stop();
        return Promise.resolve();
      },
    },
    {
      name: 'deletes',
      phase: 'workers',
      start: (signal) =>
        repeat(() => deletes(signal), { intervalMs: DELETES_EVERY_MS, clock, signal }),
    },
    { name: handoff.name, phase: handoff.phase, stop: () => handoff.stop() },
    probe,
    {
      name: 'data-plane',
      phase: 'ports',
      stop: async () => {
        owners.closeConnections();
        ownShards.close();
        await close();
      },
    },
  ];
}

async function catchUpDeletes(view: ClusterView, logger: Logger, signal: AbortSignal) {
  try {
    await view.catchUpDeletes(signal);
  } catch (error) {
    if (signal.aborted) throw error;
    // No manager or no influxd: the next round tries again, and writes that need them wait.
    logger.debug('running numbered deletes failed', { reason: messageOf(error) });
  }
}

function heldHints(handoff: HintedHandoff): HeldHints[] {
  return handoff
    .backlogs()
    .flatMap(({ node, bytes, records }) =>
      node === undefined || records === 0 ? [] : [{ owner: node, bytes }],
    );
}
