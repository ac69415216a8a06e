// The reconciler over what is held open: the same for the running agent and for a command in its place.
import type { Config } from '../shared/config/config.js';
import { systemClock } from '../shared/lifecycle/clock.js';
import type { Logger } from '../shared/log/logger.js';
import { createHttpManagerApi } from './manager-api/http-manager-api.js';
import type { OrderBook } from './membership/orders.js';
import type { OpenPorts } from './open-ports.js';
import { sharedDatabases } from './shared-databases.js';
import type { MetaWriter } from './sync/apply-offline.js';
import { OfflineApplier } from './sync/apply-offline.js';
import type { SyncEvent } from './sync/port.js';
import { SyncReconciler } from './sync/reconciler.js';
import { RemoteView } from './sync/remote-view.js';

export interface ReconcilerParts {
  readonly config: Config;
  readonly logger: Logger;
  /** Writes meta.db in offline ticks. */
  readonly writer: MetaWriter;
  /** Undefined: not registered, which a dry run does without. */
  readonly nodeId: () => number | undefined;
  readonly orders: Pick<OrderBook, 'approval'>;
  readonly onEvent: (event: SyncEvent) => void;
  /** As of ReconcilerDeps. */
  readonly passwordOf?: (user: string, hash: string) => string | undefined;
}

/** Starts nothing and asks nobody. */
export function makeReconciler(
  { base, client, influxd }: Pick<OpenPorts, 'base' | 'client' | 'influxd'>,
  { config, logger, writer, nodeId, orders, onEvent, passwordOf }: ReconcilerParts,
): { readonly reconciler: SyncReconciler; readonly remoteView: RemoteView } {
  const { cluster } = config.agent;
  const clock = systemClock();
  const api = createHttpManagerApi(client);
  const remoteView = new RemoteView(api, cluster, () => base.state.tag);
  const reconciler = new SyncReconciler({
    cluster,
    store: base,
    api,
    remoteView,
    control: influxd,
    offline: new OfflineApplier(writer),
    nodeId,
    logger,
    nowMs: () => clock.nowMs(),
    settings: {
      join: config.agent.join,
      isShared: sharedDatabases(config.sync),
      ownUser: config.influxdb.username,
      maxDrops: config.guard.maxDrops,
    },
    approval: () => orders.approval,
    onEvent,
    ...(passwordOf && { passwordOf }),
  });
  return { reconciler, remoteView };
}
