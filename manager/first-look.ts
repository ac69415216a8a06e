// What a manager looks at once, when its store has answered: whether it understands what is there, and who else is there. A
// wrong prefix or endpoint shows here, before the first agent comes.
import { isAppError } from '../shared/errors/app-error.js';
import type { Logger } from '../shared/log/logger.js';
import { managerRecord } from './nodes/records.js';
import type { Services } from './services.js';
import type { Store } from './store/port.js';
import { rangeAll } from './store/range-all.js';
import { decodeRecord } from './store/records.js';

export interface FirstLookDeps {
  readonly store: Store;
  readonly services: Pick<Services, 'clusters' | 'keys'>;
  readonly managerId: string;
  readonly logger: Logger;
}

/** Throws AppError `store-format-unknown` where a newer release wrote it, and `aborted`. */
export async function firstLook(deps: FirstLookDeps, signal: AbortSignal): Promise<void> {
  const { store, services, managerId, logger } = deps;
  try {
    const { entries } = await rangeAll(store, services.keys.managers, { signal });
    const others = entries
      .map((entry) => decodeRecord(entry, managerRecord))
      .filter(({ id }) => id !== managerId);
    const clusters = await services.clusters.list(signal);
    logger.info('found in the store', {
      clusters: clusters.map(({ name }) => name),
      managers: others.map(({ hostname, bindAddress }) => `${hostname} (${bindAddress})`),
    });
  } catch (error) {
    if (isAppError(error, 'store-format-unknown', 'aborted')) throw error;
    // A single damaged record, or a store that went away again, is no reason to serve nobody.
    logger.warn('looking at what the store has failed', { err: error });
  }
}
