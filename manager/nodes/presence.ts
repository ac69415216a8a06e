// This manager's own record, under a lease, and with it the regular look whether the store answers.
import { isAbort } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { repeat } from '../../shared/lifecycle/repeat.js';
import type { LeaseId, Store } from '../store/port.js';
import { encodeRecord } from '../store/records.js';
import type { ManagerRecord } from './records.js';
import type { StoreContact } from './store-contact.js';

export interface PresenceDeps {
  readonly store: Store;
  readonly key: string;
  readonly record: ManagerRecord;
  readonly contact: StoreContact;
  readonly clock: Clock;
  readonly ttlSeconds: number;
}

/** While the store is out of reach it is asked this often, so that coming back is noticed soon. */
const RETRY_MS = 1_000;

export class Presence {
  private lease: LeaseId | undefined;

  constructor(private readonly deps: PresenceDeps) {}

  get currentLease(): LeaseId | undefined {
    return this.lease;
  }

  /** Runs until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, contact, ttlSeconds } = this.deps;
    const steadyMs = (ttlSeconds * 1_000) / 3;
    await repeat(
      async () => {
        await this.renew(signal);
        if (!contact.isReachable) return;
        await clock.sleep(Math.max(0, steadyMs - RETRY_MS), signal);
      },
      { intervalMs: Math.min(RETRY_MS, steadyMs), signal, clock },
    );
  }

  /** Takes the record away at once instead of after its TTL; called when stopping. */
  async leave(signal: AbortSignal): Promise<void> {
    if (this.lease === undefined || !this.deps.contact.isReachable) return;
    await this.deps.store.revokeLease(this.lease, signal);
  }

  private async renew(signal: AbortSignal): Promise<void> {
    const { store, contact } = this.deps;
    try {
      if (this.lease === undefined || !(await store.keepAlive(this.lease, signal))) {
        await this.register(signal);
      }
      contact.succeeded();
    } catch (error) {
      if (signal.aborted && isAbort(error)) throw error;
      contact.failed(error);
    }
  }

  private async register(signal: AbortSignal): Promise<void> {
    const { store, key, record, ttlSeconds } = this.deps;
    this.lease = undefined;
    const lease = await store.grantLease(ttlSeconds, signal);
    await store.transact([], [{ put: key, value: encodeRecord(record), leaseId: lease }], signal);
    this.lease = lease;
  }
}
