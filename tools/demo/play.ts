// Plays the scenario: runs each statement, watches the other nodes, measures, and brings the user to them as an operator would.
// It prints what it sees and judges nothing by what an agent says of itself.
import { keyOf } from '../../shared/meta/model.js';
import { readNewest } from '../../test/support/converged.js';
import type { TestCluster } from '../../test/support/cluster.js';
import type { ClusterNode } from '../../test/support/cluster-node.js';
import { eventually } from '../../test/support/eventually.js';
import { CHANGES, USER, type Change } from './scenario.js';
import type { Screen } from './screen.js';

/** What became of one change on one of the other nodes. */
export interface Arrival {
  /** As printed, counted from 1. */
  readonly node: number;
  readonly outcome: 'arrived' | 'pending' | 'missing';
  /** From influxd's answer until the other one shows it; absent where it did not come by itself. */
  readonly 'after-ms'?: number;
  /** Why it is pending or missing. */
  readonly reason?: string;
}

export interface PlayedChange {
  readonly node: number;
  readonly statement: string;
  readonly arrivals: readonly Arrival[];
}

/** A hundred times what it takes; on a machine that is busy with other things it shall not fail. */
const ARRIVES_WITHIN_MS = 10_000;

/** Finer than what is measured. */
const LOOK_EVERY_MS = 2;

export async function play(cluster: TestCluster, screen: Screen): Promise<PlayedChange[]> {
  const played: PlayedChange[] = [];
  for (const change of CHANGES) played.push(await playChange(cluster, change, screen));
  return played;
}

async function playChange(
  cluster: TestCluster,
  change: Change,
  screen: Screen,
): Promise<PlayedChange> {
  const source = cluster.nodes[change.node];
  const others = cluster.nodes.filter((node) => node !== source);
  await source?.influxd.query(change.statement);
  const began = performance.now();
  const arrivals = await Promise.all(
    others.map((node) =>
      change.needsOffline
        ? untilPending(cluster, node)
        : untilArrived(cluster, node, change, began),
    ),
  );
  const statement = change.shown ?? change.statement;
  screen.change(change.node + 1, statement, arrivals);
  return { node: change.node + 1, statement, arrivals };
}

async function untilArrived(
  cluster: TestCluster,
  node: ClusterNode,
  change: Change,
  began: number,
): Promise<Arrival> {
  const number = numberOf(cluster, node);
  try {
    await eventually(() => change.hasArrived(node.influxd), {
      withinMs: ARRIVES_WITHIN_MS,
      everyMs: LOOK_EVERY_MS,
      what: 'it to arrive',
    });
    return { node: number, outcome: 'arrived', 'after-ms': Math.round(performance.now() - began) };
  } catch (error) {
    return missing(number, error);
  }
}

async function untilPending(cluster: TestCluster, node: ClusterNode): Promise<Arrival> {
  const number = numberOf(cluster, node);
  try {
    const reason = await eventually(() => reasonOfPending(node), {
      withinMs: ARRIVES_WITHIN_MS,
      what: 'it to be shown as pending',
    });
    return { node: number, outcome: 'pending', reason };
  } catch (error) {
    return missing(number, error);
  }
}

/** Rejects while the agent does not show the user as pending. */
async function reasonOfPending(node: ClusterNode): Promise<string> {
  const { pending, sentence } = await node.status();
  const item = pending.find(({ object }) => object.includes(USER));
  if (item === undefined) throw new Error(`the agent says: ${sentence}`);
  return item.reason;
}

/** On each other node in turn: stop influxd, `agent sync --offline`, start it, compare the hash. */
export async function bringUser(cluster: TestCluster, screen: Screen): Promise<Arrival[]> {
  const arrivals: Arrival[] = [];
  for (const node of cluster.nodes.slice(1)) {
    const arrival = await bringUserTo(cluster, node);
    screen.offline(arrival);
    arrivals.push(arrival);
  }
  return arrivals;
}

async function bringUserTo(cluster: TestCluster, node: ClusterNode): Promise<Arrival> {
  const number = numberOf(cluster, node);
  const began = performance.now();
  await node.influxd.stop();
  const { code, stdout, stderr } = await node.cli('agent', 'sync', '--offline');
  await node.influxd.start();
  if (code !== 0) {
    const reason = (stderr.trim() || stdout.trim()).split('\n')[0] ?? '';
    return { node: number, outcome: 'pending', reason };
  }
  try {
    await eventually(() => hasSameHash(cluster, node), {
      withinMs: ARRIVES_WITHIN_MS,
      what: 'the same password hash as in the cluster',
    });
    return { node: number, outcome: 'arrived', 'after-ms': Math.round(performance.now() - began) };
  } catch (error) {
    return missing(number, error);
  }
}

/** influxd lists the user, and what it has in memory is what the cluster has. */
async function hasSameHash(cluster: TestCluster, node: ClusterNode): Promise<boolean> {
  const key = keyOf({ kind: 'user', path: [USER] });
  const manager = cluster.managers[0]?.url ?? '';
  const wanted = (await readNewest(manager, cluster.name)).schema.get(key);
  const found = (await node.schema()).get(key);
  if (wanted?.kind !== 'user' || found?.kind !== 'user') return false;
  return (
    (await node.influxd.names('SHOW USERS')).includes(USER) &&
    wanted.value.hash === found.value.hash
  );
}

function missing(node: number, error: unknown): Arrival {
  return {
    node,
    outcome: 'missing',
    reason: error instanceof Error ? error.message : String(error),
  };
}

function numberOf(cluster: TestCluster, node: ClusterNode): number {
  return cluster.nodes.indexOf(node) + 1;
}
