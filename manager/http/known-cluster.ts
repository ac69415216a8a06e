// A cluster that somebody made: what is noted for one lies in the store for ever, so a mistyped name must not make one.
import type { ClusterView } from '../metadata/cluster-views.js';
import { clusterNotFound } from '../metadata/reader.js';
import type { AppDeps } from './deps.js';

/** Costs no store read once the cluster is known here. Throws AppError `cluster-not-found` (404). */
export async function knownCluster({ services }: AppDeps, cluster: string): Promise<ClusterView> {
  const view = services.views.of(cluster);
  if (await isKnown(view)) return view;
  throw clusterNotFound(cluster);
}

/** A node registered in it once, or it has metadata. */
async function isKnown({ registry, feed }: ClusterView): Promise<boolean> {
  if ((await registry.recent()) !== undefined || (await feed.latest()) !== undefined) return true;
  // It may have been made a moment ago by another manager.
  return (await registry.fresh()) !== undefined || (await feed.newest()) !== undefined;
}
