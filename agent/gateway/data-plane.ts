// The data plane of an agent, put together: this node as an owner, its peers, hints, words about hints, and the gateway that
// clients talk to. Here is said who is told of what; each part's own file says what it does.
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { Address } from '../../shared/config/address.js';
import { isLoopback } from '../../shared/config/address.js';
import type { Config } from '../../shared/config/config.js';
import { messageOf } from '../../shared/errors/app-error.js';
import { repeat } from '../../shared/lifecycle/repeat.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Runnable } from '../../shared/lifecycle/run-group.js';
import type { Logger } from '../../shared/log/logger.js';
import { certificateFiles, pathsOf, readCertificates } from '../../shared/security/certificates.js';
import { follow } from '../../shared/security/followed.js';
import type { InfluxDataClient } from '../influxd/data-client.js';
import { createDataClient } from '../influxd/data-client.js';
import type { HeldHints } from '../manager-api/membership-port.js';
import type { StatementReconciler } from '../membership/gated-reconciler.js';
import type { OpenPorts } from '../open-ports.js';
import { dataRoutes } from '../peer/data-routes.js';
import { PeerClient } from '../peer/peer-client.js';
import type { PeerRoute } from '../peer/peer-routes.js';
import type { PeerSecurity } from '../peer/peer-security.js';
import type { TickReport } from '../sync/port.js';
import type { RemoteView } from '../sync/remote-view.js';
import { AuthProbe } from './auth/auth-probe.js';
import { createBcryptPool } from './auth/bcrypt-pool.js';
import { createGatewayAuth } from './auth/gateway-auth.js';
import { Announcer } from './backlog/announcer.js';
import { CatchUpGate } from './backlog/catch-up-gate.js';
import { LAST_WORDS_FILE, LastWords } from './backlog/last-words.js';
import { PeerWords } from './backlog/peer-words.js';
import { ReadJudge } from './backlog/read-judge.js';
import type { ClusterView } from './cluster-view.js';
import { createHandoffControl } from './handoff/control.js';
import { nodeHintFiles } from './handoff/hint-files.js';
import { HintedHandoff } from './handoff/hinted-handoff.js';
import { withoutDeletedBy } from './metadata/after-deletes.js';
import { createHandoffMetrics } from './handoff/metrics.js';
import { ClusterStatements } from './metadata/cluster-statements.js';
import { LivePeers } from './metadata/live-peers.js';
import type { KnownPasswords } from './metadata/passwords.js';
import { seal, sealedPasswordSchema, unseal } from './metadata/passwords.js';
import { LocalOwner } from './owner/local-owner.js';
import { localSchemaOf } from './owner/local-schema.js';
import { Owners } from './owner/owners.js';
import { WatchedOwner } from './owner/watched-owner.js';
import { PeerOwners } from './owner/peers.js';
import { QueryHandler } from './query/query-handler.js';
import type { Gateway } from './server.js';
import { createGateway } from './server.js';
import { createWritePath } from './write/write-path.js';

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

export async function createDataPlane(deps: DataPlaneDeps): Promise<DataPlane> {
  const { config, ports, view, security, registry, clock, logger } = deps;
  const { uid } = ports.state.identity;
  const { metadata, placement, nodes, deletes, ownShards } = view;
  const influx = createDataClient(ports.access);
  const client = new PeerClient({ uid, security, clock });
  const lastWords = await LastWords.open(join(config.agent.stateDir, LAST_WORDS_FILE));
  const words = new PeerWords({
    lastWords,
    directory: nodes,
    clock,
    onNewRun: (peer) => {
      announcer.greet(peer);
    },
  });
  const gate = new CatchUpGate({
    words,
    directory: nodes,
    timeoutMs: config.handoff.catchUpTimeoutMs,
    clock,
    logger,
  });
  const withoutDeleted = withoutDeletedBy(deletes);
  const handoff: HintedHandoff = new HintedHandoff({
    stateDir: config.agent.stateDir,
    files: nodeHintFiles(),
    config: config.handoff,
    clock,
    logger,
    sender: { send: (...call) => owners.send(...call) },
    nodeOf: (owner) => nodes.byUid(owner)?.id ?? (owner === uid ? nodes.self.id : undefined),
    versions: () => ({
      placement: placement.current.version,
      metadata: metadata.current.version,
    }),
    catchUp: async (placementVersion, metadataVersion, signal) => {
      await placement.reach(placementVersion, signal);
      await metadata.reach(metadataVersion, signal);
    },
    afterDeletes: withoutDeleted,
    onFirstHint: (owner) => {
      // Who makes a hint for a write announces it before the answer; this is for those that a start finds.
      announcer.announce(owner, lifetime.signal).catch(() => undefined); // it ends with the agent
    },
    onDrained: (owner) => {
      announcer.drained(owner);
    },
    onLost: async (owner, groups, why, signal) => {
      const node = nodes.byUid(owner)?.id;
      // Of a node that is no member any more nobody reads.
      if (node === undefined) return;
      if (groups === undefined) await view.markAllIncomplete(node, why, signal);
      else await placement.markIncomplete(node, groups, why, signal);
    },
    onUnsure: async (owner, groups, signal) => {
      const node = nodes.byUid(owner)?.id;
      if (node !== undefined) await placement.markOrderUnsure(node, groups, signal);
    },
  });
  createHandoffMetrics(registry, () => handoff.all(), clock);
  const lifetime = new AbortController();
  const judge = new ReadJudge({
    words,
    directory: nodes,
    handoff,
    clock,
    lifetime: lifetime.signal,
  });
  const local = new LocalOwner({
    influxd: influx,
    account: { username: config.influxdb.username, jwtSecret: ports.access.jwtSecret },
    nodeId: () => nodes.self.id,
    placement,
    metadata,
    schema: localSchemaOf(() => ports.base.state),
    deletes,
    afterDeletes: withoutDeleted,
    gate: {
      get isOpen() {
        return gate.isOpen;
      },
      noteInfluxdAway: () => {
        gate.noteInfluxdAway();
        ownShards.noteAway();
      },
    },
    noteWritten: (group) => ownShards.noteWritten(group),
    judge: {
      mayServe: (groups) => {
        const why = groups
          .map((group) => ownShards.lacks(group))
          .find((each) => each !== undefined);
        if (why === undefined) return judge.mayServe(groups);
        return Promise.resolve({ kind: 'behind', why, retryAfterMs: NOT_LOOKED_RETRY_MS });
      },
    },
    clock,
    logger,
  });
  const owner = new WatchedOwner({ owner: local, ownShards, gate });
  const owners = new Owners({
    directory: nodes,
    local: owner,
    peers: new PeerOwners({ directory: nodes, client }),
  });
  const refusing = new Set<string>();
  const announcer: Announcer = new Announcer({
    handoff,
    directory: nodes,
    client,
    lastWords,
    flags: {
      set: (each, holder, signal) => view.api.flagBehind(each, holder, true, signal),
      clear: (each, holder, signal) => view.api.flagBehind(each, holder, false, signal),
    },
    onRefused: (peer, signal) => {
      refusing.add(peer);
      return words.noteRefused(peer, signal);
    },
    onNotRefused: (peer) => {
      words.noteNotRefused(peer);
      if (refusing.delete(peer)) handoff.nudge(peer);
    },
    clock,
    logger,
  });
  const peers = new LivePeers({ directory: nodes, client, logger });
  const isProtected = security.keys !== undefined || security.isMutual;
  const runner = new ClusterStatements({
    ...deps,
    control: ports.influxd,
    metadata,
    peers,
    deletes,
    placementApi: view.api,
    seal: (password) => seal(password, security.keys?.current),
    maySend: ({ address }) => isProtected || isLoopback(address.host),
  });
  const probe = new AuthProbe({
    url: ports.access.url,
    ca: ports.access.ca,
    clock,
    logger,
  });
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
  const writePath = createWritePath({
    config: config.gateway,
    hintAfterMs: config.handoff.hintAfterMs,
    auth,
    metadata,
    placement,
    directory: nodes,
    sender: owners,
    handoff,
    news: announcer,
    registry,
    clock,
    logger,
  });
  const query = new QueryHandler({
    auth,
    reader: owners,
    placement,
    directory: nodes,
    metadata,
    runner,
    points: writePath,
    logger,
    registry,
  });
  const gateway = await openGateway(deps, {
    isAuthOn: () => auth.isOn,
    write: writePath.handler,
    query,
  });
  const routes = dataRoutes({
    owner,
    words,
    gate,
    stands: (holder, untold) => announcer.stands(holder, untold),
    monotonicMs: () => clock.monotonicMs(),
    reach: async (version, signal) => (await metadata.apply(version, signal)) >= version,
    runDeletes: async (number, signal) => {
      await deletes.runUpTo(number, signal);
      return deletes.applied >= number;
    },
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
    isGuarded: config.influxdb.username !== undefined,
  });
  let isAnswering = false;
  // Before anybody can ask, also a peer: with its hints unread this node would say that it holds none, and answer reads without
  // those for itself. And writes queue behind what is held from before.
  await handoff.start();
  return {
    routes,
    hints: () => heldHints(handoff),
    control: createHandoffControl(handoff),
    listen: async () => gateway?.server.listen(),
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
    runnables: [
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
          lifetime.abort();
          return Promise.resolve();
        },
      },
      {
        name: 'deletes',
        phase: 'workers',
        start: (signal) =>
          repeat(() => catchUpDeletes(view, logger, signal), {
            intervalMs: DELETES_EVERY_MS,
            clock,
            signal,
          }),
      },
      { name: handoff.name, phase: handoff.phase, stop: () => handoff.stop() },
      probe,
      { name: 'data-plane', phase: 'ports', stop: () => closeAll(client, influx, auth, ownShards) },
    ],
  };
}

/** Whose turn it is among those who have passwords checked; clients are named by their addresses. */
const FROM_PEERS = 'peers';

/** Its shards are looked at within a fraction of a second after influxd has answered. */
const NOT_LOOKED_RETRY_MS = 250;

async function openGateway(
  { config, influxd, clock, logger }: DataPlaneDeps,
  handlers: Pick<Parameters<typeof createGateway>[0], 'isAuthOn' | 'write' | 'query'>,
): Promise<
  { readonly server: Gateway; readonly run: (signal: AbortSignal) => Promise<void> } | undefined
> {
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

async function closeAll(
  client: PeerClient,
  influx: InfluxDataClient,
  auth: { close(): Promise<void> },
  ownShards: { close(): void },
): Promise<void> {
  client.close();
  influx.close();
  ownShards.close();
  await auth.close();
}
