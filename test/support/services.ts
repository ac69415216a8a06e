// The manager's services over any store, as a manager with default settings has them.
import { createServices, type Services } from '../../manager/services.js';
import type { Store } from '../../manager/store/port.js';
import { systemClock } from '../../shared/lifecycle/clock.js';
import { silentLogger } from '../../shared/log/logger.js';

export function servicesOver(store: Store): Services {
  return createServices({
    store,
    logger: silentLogger(),
    clock: systemClock(),
    prefix: '/clusterflux',
    ttlMs: 15_000,
    history: 10,
    maxDrops: 5,
    maxEvents: 1_000,
    placement: {
      minReplication: 3,
      initialNodes: 1,
      outAfterMs: 86_400_000,
      cutLeadMs: 120_000,
    },
  });
}
