// The leases of the in-process stores: how long each lasts, and which keys are under it. It knows no timers: callers ask what is due.
import { AppError } from '../../../shared/errors/app-error.js';
import type { LeaseId } from '../port.js';

interface Lease {
  readonly ttlSeconds: number;
  expiresAtMs: number;
  readonly keys: Set<string>;
}

export class LeaseTable {
  private readonly leases = new Map<LeaseId, Lease>();

  grant(id: LeaseId, ttlSeconds: number, nowMs: number): void {
    this.leases.set(id, { ttlSeconds, expiresAtMs: nowMs + ttlSeconds * 1000, keys: new Set() });
  }

  remove(id: LeaseId): void {
    this.leases.delete(id);
  }

  /** Starts the TTL anew; false where the lease is gone or its time is already over. */
  renew(id: LeaseId, nowMs: number): boolean {
    const lease = this.leases.get(id);
    if (lease === undefined || lease.expiresAtMs <= nowMs) return false;
    lease.expiresAtMs = nowMs + lease.ttlSeconds * 1000;
    return true;
  }

  attach(id: LeaseId, key: string): void {
    this.leases.get(id)?.keys.add(key);
  }

  detach(id: LeaseId, key: string): void {
    this.leases.get(id)?.keys.delete(key);
  }

  /** The keys under a lease, or undefined where there is no such lease. */
  keysOf(id: LeaseId): string[] | undefined {
    const lease = this.leases.get(id);
    return lease === undefined ? undefined : [...lease.keys];
  }

  /** The leases whose time is over. */
  due(nowMs: number): LeaseId[] {
    return [...this.leases].filter(([, lease]) => lease.expiresAtMs <= nowMs).map(([id]) => id);
  }

  /** When the next lease ends, on the clock that `grant` and `renew` were given; undefined where there is none. */
  nextExpiryMs(): number | undefined {
    let next: number | undefined;
    for (const lease of this.leases.values()) {
      if (next === undefined || lease.expiresAtMs < next) next = lease.expiresAtMs;
    }
    return next;
  }

  all(): { id: LeaseId; ttlSeconds: number }[] {
    return [...this.leases].map(([id, { ttlSeconds }]) => ({ id, ttlSeconds }));
  }

  /** Throws where a key is to be put under a lease that is gone: nothing is changed then. */
  assertKnown(id: LeaseId): void {
    if (this.leases.has(id)) return;
    throw leaseGone(id);
  }
}

/** The same error from every adapter: the put changed nothing, because its lease ended before. */
export function leaseGone(id: LeaseId, cause?: unknown): AppError {
  return new AppError(
    'store-unavailable',
    `putting a key under the lease ${id} failed because that lease has ended; grant a new one and try again`,
    { status: 503, retryable: true, details: { lease: id, reason: 'lease-gone' }, cause },
  );
}
