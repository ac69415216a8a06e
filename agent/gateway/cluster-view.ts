// What the data plane knows of the cluster and of this node: metadata, placement, the list of nodes, this server's own shards
// and the numbered deletes. All of it is on disk too, so that it is there while no manager answers.
import { join } from 'node:path';
import type { Config } from '../../shared/config/config.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { Logger } from '../../shared/log/logger.js';
import type { Placement } from '../../shared/placement/model.js';
import { RunWatch } from '../influxd/run-watch.js';
import type { PlacementApi } from '../manager-api/placement-api.js';
import { createHttpPlacementApi } from '../manager-api/placement-api.js';
import type { DataPlaneNews } from '../membership/membership.js';
import type { OpenPorts } from '../open-ports.js';
import { sharedDatabases } from '../shared-databases.js';
import type { Reconciler, TickReport } from '../sync/port.js';
import type { RemoteView } from '../sync/remote-view.js';
import { ClusterMetadata } from './metadata/cluster-metadata.js';
import { Deletes } from './metadata/deletes.js';
import { NodeList } from './placement/node-list.js';
import { OwnShards } from './placement/own-shards.js';
import { PlacementFollower } from './placement/placement-follower.js';

export interface ClusterViewDeps {
  readonly config: Config;
  readonly ports: OpenPorts;
  readonly reconciler: Reconciler;
  readonly remoteView: RemoteView;
  readonly appliedVersion: () => number;
  readonly onReport: (report: TickReport) => void;
  /** Undefined while this run is not registered. */
  readonly nodeId: () => number | undefined;
  /** False while a manager refuses this agent: another process may act under its uid. */
  readonly mayAct: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class ClusterView {
  readonly api: PlacementApi;
  readonly metadata: ClusterMetadata;
  readonly placement: PlacementFollower;
  readonly nodes: NodeList;
  readonly deletes: Deletes;
  readonly ownShards: OwnShards;

  constructor(deps: ClusterViewDeps) {
    const { config, ports, clock, logger, nodeId } = deps;
    const fileOf = (name: string) => join(config.agent.stateDir, name);
    const metadata = () => this.metadata.current;
    this.api = createHttpPlacementApi(ports.client, config.agent.cluster);
    this.metadata = new ClusterMetadata({ ...deps, base: () => ports.base.state });
    this.placement = new PlacementFollower({
      api: this.api,
      path: fileOf('placement.json'),
      metadata,
      nodeId,
      longPollMs: config.agent.longPollMs,
      onTaken: (placement) => this.noteLine(placement),
      logger,
    });
    this.nodes = new NodeList({
      api: this.api,
      path: fileOf('nodes.json'),
      uid: ports.state.identity.uid,
      nodeId,
      mayAct: deps.mayAct,
      clock,
      logger,
    });
    this.deletes = new Deletes({
      path: fileOf('deletes.json'),
      api: this.api,
      run: (...call) => ports.influxd.executeOn(...call),
      metadata,
      newest: () => lineOf(this.placement.current),
      logger,
    });
    this.ownShards = new OwnShards({
      path: fileOf('shards.json'),
      control: ports.influxd,
      placement: this.placement,
      api: this.api,
      metadata,
      isMetadataKnown: () => this.metadata.isKnown,
      nodeId: () => this.nodes.self.id,
      watch: new RunWatch(ports.access.url),
      hasJoined: () => ports.base.state.joining === undefined,
      isShared: sharedDatabases(config.sync),
      clock,
      logger,
    });
  }

  /** Reads what is on disk. Throws `state-not-current` where what must not be guessed can't be read. */
  async load(): Promise<void> {
    await Promise.all([this.deletes.load(), this.ownShards.load(), this.placement.load()]);
    await this.nodes.load();
  }

  /** Told by the heartbeats what has moved. */
  note({ placementVersion }: DataPlaneNews, signal: AbortSignal): void {
    if (placementVersion !== undefined) this.placement.noteVersion(placementVersion);
    this.nodes.refresh(signal).catch(() => undefined); // it rejects where the agent stops
  }

  /** Runs deletes that another gateway numbered, where nobody asked this node for them. */
  async catchUpDeletes(signal: AbortSignal): Promise<void> {
    const { deletes } = this.placement.current;
    if (deletes > this.deletes.applied) await this.deletes.runUpTo(deletes, signal);
  }

  /** A node may lack points of any group that it owns: what it lacks is not known. Throws as `markIncomplete`. */
  async markAllIncomplete(node: number, why: string, signal: AbortSignal): Promise<void> {
    const owned = this.placement.current.groups
      .filter(({ shards }) =>
        shards.some(({ owners }) => owners.some((owner) => owner.node === node)),
      )
      .map(({ id }) => id);
    await this.placement.markIncomplete(node, owned, why, signal);
  }

  private noteLine(placement: Placement): Promise<void> {
    return this.deletes.noteLine(lineOf(placement));
  }
}

function lineOf({ deletes: number, incarnation }: Placement) {
  return { number, incarnation };
}
