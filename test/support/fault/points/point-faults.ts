// The faults that can happen to the nodes of a cluster with clients, each with its end: when the function resolves, everything runs
// again. What they hit, and when, is drawn from the cluster's random choices.
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterNode } from '../../cluster-node.js';
import type { PointLoad } from './point-load.js';
import type { PointsCluster } from './points-cluster.js';

export interface PointFault {
  /** For reports and figures. */
  readonly name: string;
  run(points: PointsCluster, load: PointLoad): Promise<void>;
}

/** Within so many ms a program under load has been in every step of what it does. */
const SOME_TIME_MS = 1_500;
/** Longer than the words of a node have force (3 s). */
const LONGER_THAN_WORDS_MS = 4_000;

const killInfluxd: PointFault = {
  name: "owner's influxd killed",
  run: async (points) => {
    const { influxd } = points.random.pick(points.cluster.nodes);
    await influxd.kill9();
    await some(points);
    await influxd.start();
  },
};

const killAgent: PointFault = {
  name: "owner's agent killed",
  run: async (points) => {
    const node = points.random.pick(points.cluster.nodes);
    await node.agent.kill9();
    await some(points);
    await node.startAgent();
  },
};

const killNode: PointFault = {
  name: 'node killed',
  run: async (points) => {
    const node = points.random.pick(points.cluster.nodes);
    await node.end();
    await some(points);
    await startBoth(node);
  },
};

/** All that is not acknowledged by one owner alone is declined meanwhile. */
const killTwoNodes: PointFault = {
  name: 'two of three owners away',
  run: async (points) => {
    const [, ...gone] = shuffled(points);
    await Promise.all(gone.map((node) => node.end()));
    await some(points);
    for (const node of gone) {
      await startBoth(node);
      await some(points);
    }
  },
};

const killCoordinator: PointFault = {
  name: 'coordinator killed with hints, owner back',
  run: async (points) => {
    const [coordinator, , owner] = shuffled(points);
    const isWhole = points.random.chance(0.5);
    await owner!.influxd.kill9();
    if (isWhole) await owner!.agent.kill9();
    await some(points);
    await coordinator!.agent.kill9();
    await owner!.influxd.start();
    // It is not ready before it has what the dead one holds for it.
    if (isWhole) await owner!.launchAgent();
    await delay(points.random.below(LONGER_THAN_WORDS_MS));
    await coordinator!.startAgent();
  },
};

const killAllAgents: PointFault = {
  name: 'all agents killed',
  run: async ({ cluster, random }) => {
    await Promise.all(cluster.nodes.map(({ agent }) => agent.kill9()));
    await delay(random.below(SOME_TIME_MS));
    await Promise.all(cluster.nodes.map((node) => node.startAgent()));
  },
};

const killAllNodes: PointFault = {
  name: 'all nodes killed',
  run: async ({ cluster }) => {
    await Promise.all(cluster.nodes.map((node) => node.end()));
    await Promise.all(cluster.nodes.map(startBoth));
  },
};

const pauseAgent: PointFault = {
  name: "owner's agent paused",
  run: (points) => paused(points, points.random.pick(points.cluster.nodes).agent),
};

const pauseInfluxd: PointFault = {
  name: "owner's influxd paused",
  run: (points) => paused(points, points.random.pick(points.cluster.nodes).influxd),
};

const killStore: PointFault = {
  name: 'manager and etcd killed',
  run: async (points) => {
    const { managers, etcd } = points.cluster;
    await Promise.all([...managers.map((manager) => manager.kill9()), etcd.kill9()]);
    await some(points);
    await etcd.restart();
    await Promise.all(managers.map((manager) => manager.start()));
  },
};

export const POINT_FAULTS: readonly PointFault[] = [
  ...[killInfluxd, killAgent, killNode, killTwoNodes, killCoordinator],
  ...[killAllAgents, killAllNodes, pauseAgent, pauseInfluxd, killStore],
];

async function startBoth(node: ClusterNode): Promise<void> {
  await node.startInfluxd();
  await node.startAgent();
}

function shuffled({ cluster, random }: PointsCluster): readonly ClusterNode[] {
  const left = [...cluster.nodes];
  return cluster.nodes.map(() => left.splice(random.below(left.length), 1)[0]!);
}

async function some({ random }: PointsCluster): Promise<void> {
  await delay(random.below(SOME_TIME_MS));
}

async function paused(
  { random }: PointsCluster,
  program: { pause(): void; resume(): void },
): Promise<void> {
  program.pause();
  await delay(random.below(LONGER_THAN_WORDS_MS + SOME_TIME_MS));
  program.resume();
}
