// Flags of owners for whom somebody holds hints and could not tell them. A flag moves the registry's revision, so that every
// agent hears of it with its next heartbeat.
import { AppError } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import type { ClusterView } from '../metadata/cluster-views.js';
import { nodeNotFound } from '../nodes/registrar.js';
import type { Store } from '../store/port.js';
import { encodeRecord } from '../store/records.js';

export interface BehindFlagsDeps {
  readonly store: Store;
  readonly clock: Clock;
}

export class BehindFlags {
  constructor(private readonly deps: BehindFlagsDeps) {}

  /** Throws AppError `node-not-found` (404) where one of both is not registered, `store-unavailable`. */
  async set(view: ClusterView, owner: number, holder: number, signal: AbortSignal): Promise<void> {
    const { store } = this.deps;
    const { keys } = view;
    if (owner === holder) {
      throw new AppError('body-invalid', `node ${owner} holds no hints for itself`, {
        status: 400,
      });
    }
    const key = keys.placement.behindOf(owner, holder);
    if ((await store.get(key, { signal })) !== undefined) return;
    const { kind } = await store.transact(
      [owner, holder].map((id) => ({ key: keys.node(id), is: 'present' }) as const),
      [{ put: key, value: this.record() }, this.moved(view)],
      signal,
    );
    if (kind === 'committed') return;
    const isOwnerThere = (await store.get(keys.node(owner), { signal })) !== undefined;
    throw nodeNotFound(view.name, isOwnerThere ? holder : owner);
  }

  /** One that is not there is no error. */
  async clear(
    view: ClusterView,
    owner: number,
    holder: number,
    signal: AbortSignal,
  ): Promise<void> {
    const key = view.keys.placement.behindOf(owner, holder);
    await this.deps.store.transact(
      [{ key, is: 'present' }],
      [{ delete: key }, this.moved(view)],
      signal,
    );
  }

  private record(): Buffer {
    return encodeRecord({ at: new Date(this.deps.clock.nowMs()).toISOString() });
  }

  private moved(view: ClusterView): { put: string; value: Buffer } {
    return { put: view.keys.registry, value: this.record() };
  }
}
