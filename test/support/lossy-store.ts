// A store that loses replies: a transaction is committed, or never arrives, and the caller is told that nobody knows. What a
// cut connection to etcd does, without the connection.
import type { Store, TransactionResult } from '../../manager/store/port.js';
import { AppError } from '../../shared/errors/app-error.js';

/** What happens to the next transaction. */
export type Fate = 'answered' | 'reply-lost' | 'request-lost' | 'delayed';

export interface LossyStore extends Store {
  /** Requests that were delayed and are still under way; runs them now, in order. */
  arrive(): Promise<void>;
}

/** @param fate asked before each transaction */
export function lossyStore(store: Store, fate: () => Fate): LossyStore {
  const underWay: (() => Promise<TransactionResult>)[] = [];
  return {
    location: store.location,
    get: (...args) => store.get(...args),
    range: (...args) => store.range(...args),
    watch: (...args) => store.watch(...args),
    grantLease: (...args) => store.grantLease(...args),
    keepAlive: (...args) => store.keepAlive(...args),
    revokeLease: (...args) => store.revokeLease(...args),
    health: (...args) => store.health(...args),
    close: () => store.close(),
    async transact(...args) {
      const end = fate();
      if (end === 'answered') return store.transact(...args);
      if (end === 'reply-lost') await store.transact(...args);
      if (end === 'delayed') underWay.push(() => store.transact(...args));
      throw new AppError('outcome-unknown', `the reply was lost (${end})`, { status: 503 });
    },
    async arrive() {
      for (const request of underWay.splice(0)) await request();
    },
  };
}
