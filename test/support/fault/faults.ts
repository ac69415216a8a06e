// The faults that can happen to any cluster at any time, each with its end: when the function resolves, everything runs and is
// connected again. What they hit, and when, is drawn from the cluster's random choices.
import { setTimeout as delay } from 'node:timers/promises';
import type { TcpProxy } from '../tcp-proxy.js';
import { compactEtcd, loseEtcdQuorum, moveEtcdLeader } from './etcd-faults.js';
import type { FaultCluster } from './fault-cluster.js';

export interface Fault {
  /** For reports and figures. */
  readonly name: string;
  run(faults: FaultCluster): Promise<void>;
}

/** Within so many ms a program under load has been in every step of what it does. */
const SOME_TIME_MS = 300;

/** Twice the TTL of the tests' clusters: by then everybody knows that somebody is dead. */
const LONGER_THAN_TTL_MS = 4_000;

export const killAgent: Fault = {
  name: 'agent killed',
  run: async ({ cluster, random }) => {
    const node = random.pick(cluster.nodes);
    await soon({ random });
    await node.agent.kill9();
    await soon({ random });
    await node.startAgent();
  },
};

export const killAllAgents: Fault = {
  name: 'all agents killed',
  run: async ({ cluster, random, workload }) => {
    await soon({ random });
    await Promise.all(cluster.nodes.map(({ agent }) => agent.kill9()));
    await workload.untilMore(10);
    await Promise.all(cluster.nodes.map((node) => node.startAgent()));
  },
};

export const killManager: Fault = {
  name: 'manager killed',
  run: async ({ cluster, random }) => {
    const manager = random.pick(cluster.managers);
    await soon({ random });
    await manager.kill9();
    await soon({ random });
    await manager.start();
  },
};

export const killAllManagers: Fault = {
  name: 'all managers killed',
  run: async ({ cluster, random, workload }) => {
    await soon({ random });
    await Promise.all(cluster.managers.map((manager) => manager.kill9()));
    await workload.untilMore(10);
    await Promise.all(cluster.managers.map((manager) => manager.start()));
  },
};

export const killEtcdMember: Fault = {
  name: 'etcd member killed',
  run: async ({ cluster, random, workload }) => {
    const member = random.below(cluster.etcd.ports.length);
    await soon({ random });
    await cluster.etcd.kill9(member);
    await workload.untilMore(5);
    await cluster.etcd.restart(member);
  },
};

export const killInfluxd: Fault = {
  name: 'influxd killed',
  run: async ({ cluster, random, workload }) => {
    const node = random.pick(cluster.nodes);
    await soon({ random });
    await node.influxd.kill9();
    await workload.untilMore(5);
    await node.influxd.start();
  },
};

/** Everything of one host at once: influxd and its agent. */
export const killNode: Fault = {
  name: 'influxd and its agent killed',
  run: async ({ cluster, random, workload }) => {
    const node = random.pick(cluster.nodes);
    await soon({ random });
    await node.end();
    await workload.untilMore(5);
    await node.influxd.start();
    await node.startAgent();
  },
};

/** All hosts at once: everything is killed, and comes back in whatever order. */
export const powerCut: Fault = {
  name: 'everything killed at once',
  run: async ({ cluster, random }) => {
    const { nodes, managers, etcd } = cluster;
    await soon({ random });
    await Promise.all([
      ...nodes.map((node) => node.end()),
      ...managers.map((manager) => manager.kill9()),
      etcd.kill9(),
    ]);
    const startNode = async (node: (typeof nodes)[number]) => {
      await node.influxd.start();
      await node.startAgent();
    };
    await Promise.all([
      etcd.restart(),
      ...managers.map((manager) => manager.start()),
      ...nodes.map(startNode),
    ]);
  },
};

export const pauseAgent: Fault = {
  name: 'agent paused',
  run: ({ cluster, random }) => paused(random.pick(cluster.nodes).agent),
};

export const pauseManager: Fault = {
  name: 'manager paused',
  run: ({ cluster, random }) => paused(random.pick(cluster.managers)),
};

export const pauseInfluxd: Fault = {
  name: 'influxd paused',
  run: ({ cluster, random }) => paused(random.pick(cluster.nodes).influxd),
};

export const pauseEtcdMember: Fault = {
  name: 'etcd member paused',
  run: async ({ cluster: { etcd }, random }) => {
    const member = random.below(etcd.ports.length);
    await etcd.pause(member);
    await delay(LONGER_THAN_TTL_MS);
    etcd.resume(member);
  },
};

export const cutAgentFromManager: Fault = {
  name: 'agent cut from one manager',
  run: async (faults) => {
    const lines = faults.linesOfAgent(faults.random.below(faults.cluster.nodes.length));
    await broken([faults.random.pick(lines)], 'cut');
  },
};

export const cutAgentFromAll: Fault = {
  name: 'agent cut from all managers',
  run: async (faults) => {
    await broken(faults.linesOfAgent(faults.random.below(faults.cluster.nodes.length)), 'cut');
  },
};

export const halfOpenAgent: Fault = {
  name: 'agent half-open to all managers',
  run: async (faults) => {
    await broken(
      faults.linesOfAgent(faults.random.below(faults.cluster.nodes.length)),
      'half-open',
    );
  },
};

export const cutManagerFromEtcd: Fault = {
  name: 'manager cut from etcd',
  run: async (faults) => {
    await broken(faults.linesOfManager(faults.random.below(faults.cluster.managers.length)), 'cut');
  },
};

export const halfOpenManager: Fault = {
  name: 'manager half-open to etcd',
  run: async (faults) => {
    const manager = faults.random.below(faults.cluster.managers.length);
    await broken(faults.linesOfManager(manager), 'half-open');
  },
};

export const loseReplies: Fault = {
  name: 'replies of the managers lost',
  run: async (faults) => {
    const lines = faults.linesOfAgent(faults.random.below(faults.cluster.nodes.length));
    await broken(lines, 'no-replies');
  },
};

export const loseStoreReplies: Fault = {
  name: 'replies of etcd lost',
  run: async (faults) => {
    const manager = faults.random.below(faults.cluster.managers.length);
    await broken(faults.linesOfManager(manager), 'no-replies');
  },
};

export const slowLines: Fault = {
  name: 'all lines slow',
  run: async (faults) => {
    const lines = [
      ...faults.cluster.nodes.flatMap((_, node) => faults.linesOfAgent(node)),
      ...faults.cluster.managers.flatMap((_, manager) => faults.linesOfManager(manager)),
    ];
    for (const line of lines) line.delay(faults.random.between(20, 200));
    await delay(LONGER_THAN_TTL_MS);
    for (const line of lines) line.heal();
  },
};

/** What happens to processes; no two of these at once, because each starts again what it ended. */
export const PROCESS_FAULTS: readonly Fault[] = [
  ...[
    killAgent,
    killAllAgents,
    killManager,
    killAllManagers,
    killEtcdMember,
    killInfluxd,
    killNode,
    powerCut,
  ],
  ...[pauseAgent, pauseManager, pauseInfluxd, pauseEtcdMember],
  ...[moveEtcdLeader, loseEtcdQuorum, compactEtcd],
];

/** What happens to lines; no two of these at once, because each heals what it broke. */
export const LINE_FAULTS: readonly Fault[] = [
  ...[cutAgentFromManager, cutAgentFromAll, halfOpenAgent, cutManagerFromEtcd, halfOpenManager],
  ...[loseReplies, loseStoreReplies, slowLines],
];

/** Two at the same time. */
export function both(one: Fault, other: Fault): Fault {
  return {
    name: `${one.name}, and ${other.name}`,
    run: async (faults) => {
      await Promise.all([one.run(faults), other.run(faults)]);
    },
  };
}

async function soon({ random }: Pick<FaultCluster, 'random'>): Promise<void> {
  await delay(random.below(SOME_TIME_MS));
}

async function paused(program: { pause(): void; resume(): void }): Promise<void> {
  program.pause();
  await delay(LONGER_THAN_TTL_MS);
  program.resume();
}

async function broken(
  lines: readonly TcpProxy[],
  how: 'cut' | 'half-open' | 'no-replies',
): Promise<void> {
  for (const line of lines) {
    if (how === 'cut') line.cut();
    else if (how === 'half-open') line.holdHalfOpen(true);
    else line.swallowReplies(true);
  }
  await delay(LONGER_THAN_TTL_MS);
  for (const line of lines) {
    // What was swallowed is missing for ever: such connections are of no use any more, and end as dead ones do.
    if (how !== 'cut') line.cut();
    line.heal();
  }
}
