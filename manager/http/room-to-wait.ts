// How many requests may wait at this manager for something to happen: readers of versions and followers of events together.
import { AppError } from '../../shared/errors/app-error.js';
import type { AppDeps } from './deps.js';

/** Throws AppError `too-many-waiters`, or `store-unavailable` where the manager is stopping (both 503). */
export function assertRoomToWait({ services, limits, isDraining }: AppDeps): void {
  if (isDraining()) {
    throw new AppError('store-unavailable', 'this manager is stopping; ask another one', {
      status: 503,
      retryable: true,
    });
  }
  const { maxWaiters } = limits;
  if (services.views.waiting + services.events.following < maxWaiters) return;
  throw new AppError(
    'too-many-waiters',
    `${maxWaiters} readers wait at this manager already; ask another one, or raise manager.max-waiters`,
    { status: 503, retryable: true, retryAfterSeconds: 5 },
  );
}
