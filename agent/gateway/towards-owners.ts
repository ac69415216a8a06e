// The side of the data plane that reaches owners: this node as one, its peers, the hints for all of them, and the words about
// hints by which each owner judges itself. Puts these together and starts none of them but the reading of old hints.
import { join } from 'node:path';
import { createDataClient } from '../influxd/data-client.js';
import { PeerClient } from '../peer/peer-client.js';
import { Announcer } from './backlog/announcer.js';
import { CatchUpGate } from './backlog/catch-up-gate.js';
import { LAST_WORDS_FILE, LastWords } from './backlog/last-words.js';
import { PeerWords } from './backlog/peer-words.js';
import { ReadJudge } from './backlog/read-judge.js';
import type { DataPlaneDeps } from './data-plane.js';
import { nodeHintFiles } from './handoff/hint-files.js';
import { HintedHandoff } from './handoff/hinted-handoff.js';
import { createHandoffMetrics } from './handoff/metrics.js';
import { withoutDeletedBy } from './metadata/after-deletes.js';
import { LocalOwner } from './owner/local-owner.js';
import { localSchemaOf } from './owner/local-schema.js';
import { Owners } from './owner/owners.js';
import { PeerOwners } from './owner/peers.js';
import type { BatchSender } from './owner/port.js';
import { WatchedOwner } from './owner/watched-owner.js';

export interface OwnersSide {
  /** This node, for its own gateway and for peers. */
  readonly owner: WatchedOwner;
  /** Every owner, by node id. */
  readonly owners: Owners;
  readonly handoff: HintedHandoff;
  readonly announcer: Announcer;
  readonly words: PeerWords;
  readonly gate: CatchUpGate;
  readonly client: PeerClient;
  /** Ends what goes on beside requests. */
  stop(): void;
  closeConnections(): void;
}

export async function openOwnersSide(deps: DataPlaneDeps): Promise<OwnersSide> {
  const { config, ports, view, security, clock, logger } = deps;
  const { nodes, ownShards } = view;
  const { uid } = ports.state.identity;
  const client = new PeerClient({ uid, security, clock });
  const influx = createDataClient(ports.access);
  const lifetime = new AbortController();
  const lastWords = await LastWords.open(join(config.agent.stateDir, LAST_WORDS_FILE));
  const words = new PeerWords({
    lastWords,
    directory: nodes,
    clock,
    onNewRun: (peer) => {
      announcer.greet(peer);
    },
  });
  const { catchUpTimeoutMs: timeoutMs } = config.handoff;
  const gate = new CatchUpGate({ words, directory: nodes, timeoutMs, clock, logger });
  const sender: BatchSender = { send: (...call) => owners.send(...call) };
  const handoff = makeHandoff(deps, sender, {
    onFirstHint: (owner) => {
      // Who makes a hint for a write announces it before the answer; this is for those that a start finds.
      announcer.announce(owner, lifetime.signal).catch(() => undefined); // it ends with the agent, or a round tells it
    },
    onDrained: (owner) => {
      announcer.drained(owner);
    },
  });
  const announcer: Announcer = new Announcer({
    handoff,
    directory: nodes,
    client,
    lastWords,
    flags: {
      set: (owner, holder, signal) => view.api.flagBehind(owner, holder, true, signal),
      clear: (owner, holder, signal) => view.api.flagBehind(owner, holder, false, signal),
    },
    onRefused: (peer, signal) => words.noteRefused(peer, signal),
    onNotRefused: (peer) => {
      words.noteNotRefused(peer);
    },
    onReady: (peer) => {
      handoff.nudge(peer);
    },
    clock,
    logger,
  });
  const judge = new ReadJudge({
    ...{ words, handoff, clock },
    directory: nodes,
    lifetime: lifetime.signal,
  });
  const local = makeLocalOwner(deps, { influx, gate, judge });
  const owner = new WatchedOwner({ owner: local, ownShards, gate });
  const peers = new PeerOwners({ directory: nodes, client });
  const owners: Owners = new Owners({ directory: nodes, local: owner, peers });
  // Before anybody can ask, also a peer: with its hints unread this node would say that it holds none, and answer reads without
  // those for itself. And writes queue behind what is held from before.
  await handoff.start();
  return {
    ...{ owner, owners, handoff, announcer, words, gate, client },
    stop: () => {
      lifetime.abort();
    },
    closeConnections: () => {
      client.close();
      influx.close();
    },
  };
}

function makeHandoff(
  { config, ports, view, registry, clock, logger }: DataPlaneDeps,
  sender: BatchSender,
  told: {
    readonly onFirstHint: (owner: string) => void;
    readonly onDrained: (owner: string) => void;
  },
): HintedHandoff {
  const { nodes, placement, metadata, deletes } = view;
  const { uid } = ports.state.identity;
  const handoff = new HintedHandoff({
    ...told,
    stateDir: config.agent.stateDir,
    files: nodeHintFiles(),
    config: config.handoff,
    clock,
    logger,
    sender,
    nodeOf: (owner) => nodes.byUid(owner)?.id ?? (owner === uid ? nodes.self.id : undefined),
    versions: () => ({
      placement: placement.current.version,
      metadata: metadata.current.version,
    }),
    catchUp: async (placementVersion, metadataVersion, signal) => {
      await placement.reach(placementVersion, signal);
      await metadata.reach(metadataVersion, signal);
    },
    afterDeletes: withoutDeletedBy(deletes),
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
  return handoff;
}

function makeLocalOwner(
  { config, ports, view, clock, logger }: DataPlaneDeps,
  {
    influx,
    gate,
    judge,
  }: {
    readonly influx: ReturnType<typeof createDataClient>;
    readonly gate: CatchUpGate;
    readonly judge: ReadJudge;
  },
): LocalOwner {
  const { nodes, placement, metadata, deletes, ownShards } = view;
  return new LocalOwner({
    influxd: influx,
    account: { username: config.influxdb.username, jwtSecret: ports.access.jwtSecret },
    nodeId: () => nodes.self.id,
    placement,
    metadata,
    schema: localSchemaOf(() => ports.base.state),
    deletes,
    afterDeletes: withoutDeletedBy(deletes),
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
        const lacks = groups.map((group) => ownShards.lacks(group));
        const why = lacks.find((each) => each !== undefined);
        if (why === undefined) return judge.mayServe(groups);
        return Promise.resolve({ kind: 'behind', why, retryAfterMs: NOT_LOOKED_RETRY_MS });
      },
    },
    clock,
    logger,
  });
}

/** Its shards are looked at within a fraction of a second after influxd has answered. */
const NOT_LOOKED_RETRY_MS = 250;
