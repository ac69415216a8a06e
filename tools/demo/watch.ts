// Says which of the demo's processes has ended without being asked to, once each, and when it is back.
import { setTimeout as delay } from 'node:timers/promises';
import type { TestCluster } from '../../test/support/cluster.js';
import type { Screen } from './screen.js';

const LOOK_EVERY_MS = 300;

interface Watched {
  readonly name: string;
  readonly isRunning: () => boolean;
  /** What its end means for the others. */
  readonly meaning: string;
}

/** Resolves when the signal is aborted. */
export async function watchProcesses(
  cluster: TestCluster,
  screen: Screen,
  signal: AbortSignal,
): Promise<void> {
  const watched = watchedOf(cluster);
  const gone = new Set<Watched>();
  while (!signal.aborted) {
    for (const each of watched) {
      if (each.isRunning()) gone.delete(each);
      else if (!gone.has(each)) {
        gone.add(each);
        screen.line(`${each.name} has ended; ${each.meaning}`);
      }
    }
    // Aborted: the loop ends.
    await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

function watchedOf(cluster: TestCluster): Watched[] {
  return [
    ...cluster.managers.map((manager) => ({
      name: manager.name,
      isRunning: () => manager.pid !== undefined,
      meaning: 'every influxd goes on, and nothing is shared until a manager is back',
    })),
    ...cluster.nodes.flatMap((node, index) => [
      {
        name: `the influxd of node ${index + 1}`,
        isRunning: () => node.influxd.pid !== undefined,
        meaning: 'the other two go on, and it would catch up after a start',
      },
      {
        name: node.agent.name,
        isRunning: () => node.agent.isRunning,
        meaning: 'its influxd goes on by itself, and its changes wait for an agent',
      },
    ]),
  ];
}
