// When a node has to join anew, and what stands against applying anything to it.
import type { LoadedShard } from '../influxd/port.js';
import { lineageBreak } from '../../shared/meta/lineage.js';
import type { Base } from './base.js';
import { foreignShards } from './evidence.js';
import type { LocalState } from './observe.js';
import type { RemoteState } from './remote-view.js';

/** Why the base can't be used any more: another line of the cluster, or another (older, copied, new) influxd. */
export function whyJoin(base: Base, local: LocalState, remote: RemoteState): string | undefined {
  if (base.tag !== undefined && remote.tag === undefined) {
    return 'the managers do not know this cluster any more';
  }
  if (
    base.tag !== undefined &&
    remote.tag !== undefined &&
    base.tag.incarnation !== remote.tag.incarnation
  ) {
    return "the cluster's metadata has another incarnation: its store was made anew, or went back in time";
  }
  if (base.lineage === undefined) return undefined;
  if (local.source === 'none') return 'meta.db is missing';
  const broken = lineageBreak(base.lineage, local.lineage);
  return broken && `influxd is not a later state of the one last seen: ${broken}`;
}

/** Why nothing may be created or dropped on this joining server; undefined where all is well. */
export function whyBlocked(
  local: LocalState,
  loaded: readonly LoadedShard[],
): { readonly sentence: string; readonly remedy: string } | undefined {
  const foreign = foreignShards(local.lineage, loaded);
  if (foreign === undefined) return undefined;
  return {
    sentence: `${foreign}: data of another time lies there, so nothing is created or dropped on this server`,
    remedy:
      'stop influxd and run `clusterflux agent restore` to put a good meta.db back, or move the old shard directories away; then start it',
  };
}
