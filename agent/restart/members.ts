// Whether another member of the cluster is down: then this one's influxd is not stopped as well. Words only.
import type { NodeBody } from '../../shared/api/nodes.js';

/** The word in a node's `state` while its influxd is being restarted. */
export const RESTARTING = 'restarting';

/** Why influxd of node `ownId` is not to be stopped now; undefined where it may be. Names the node that stands against it. */
export function whyNotNow(
  members: readonly NodeBody[],
  ownId: number | undefined,
): string | undefined {
  const others = members.filter(({ id }) => id !== ownId);
  const away = others.find(({ alive }) => !alive);
  if (away !== undefined) {
    return `waits: ${nameOf(away)} is down; start it, or take it off the list by \`clusterflux nodes forget ${away.id}\``;
  }
  const restarting = others.find(({ state }) => state === RESTARTING);
  if (restarting !== undefined) return `waits: ${nameOf(restarting)} restarts its influxd`;
  const silent = others.find(hasSilentInfluxd);
  return silent === undefined
    ? undefined
    : `waits: the influxd of ${nameOf(silent)} does not answer`;
}

/** Who holds the lock, by its uid. */
export function whyTaken(members: readonly NodeBody[], holder: string): string {
  const node = members.find(({ uid }) => uid === holder);
  return `waits: ${node === undefined ? 'another node' : nameOf(node)} restarts its influxd`;
}

/** Its agent lives, knows of an influxd, and can't say since when that runs, because it waits for it. */
function hasSilentInfluxd({ state, influxd }: NodeBody): boolean {
  return state === 'waiting' && influxd?.started === '';
}

function nameOf({ id, hostname }: NodeBody): string {
  return `node ${id} (${hostname})`;
}
