// One push of a merged snapshot: noted with its idempotency key, written by compare-and-swap, and moved into the base.
import { randomUUID } from 'node:crypto';
import { reached } from '../../shared/failpoint/failpoint.js';
import { encodeSnapshot } from '../../shared/meta/codec.js';
import { canonicalSnapshot, writeSchema } from '../../shared/meta/snapshot.js';
import type { ManagerApi } from '../manager-api/port.js';
import type { BaseStore } from './base-store.js';
import { movesOfPush } from './moves.js';
import type { PlannedPush } from './plan-types.js';
import type { RemoteState, RemoteView } from './remote-view.js';

export interface PushDeps {
  readonly api: Pick<ManagerApi, 'write'>;
  readonly store: BaseStore;
  readonly remoteView: RemoteView;
  readonly cluster: string;
  readonly nodeId: () => number | undefined;
}

export type PushResult =
  | { readonly kind: 'accepted'; readonly version: number }
  /** Somebody else won: everything is to be looked at again. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string };

/**
 * Throws `manager-unreachable` where the outcome is unknown; the note stays, and the next tick asks what became of it before
 * it plans anything.
 */
export async function push(
  planned: PlannedPush,
  onto: RemoteState,
  deps: PushDeps,
  signal: AbortSignal,
): Promise<PushResult> {
  const { store, remoteView, cluster } = deps;
  const data = canonicalSnapshot(writeSchema(onto.data, planned.schema));
  const bytes = Buffer.from(encodeSnapshot(data));
  const idempotencyKey = randomUUID();
  await reached('agent.push.planned');
  await store.append([
    { record: 'note', note: { kind: 'push', idempotencyKey, moves: planned.moves } },
  ]);
  const request = { seen: onto.tag, bytes, idempotencyKey, nodeId: deps.nodeId() };
  await reached('agent.push.noted');
  const result = await deps.api.write(cluster, request, signal);
  await reached('agent.push.answered');
  switch (result.kind) {
    case 'accepted':
      await store.append([
        { record: 'moves', moves: movesOfPush(planned.moves, result.tag.version) },
        { record: 'settled' },
      ]);
      await reached('agent.push.settled');
      remoteView.acceptOwn({ tag: result.tag, bytes, data, schema: planned.schema });
      return { kind: 'accepted', version: result.tag.version };
    case 'lost':
      await store.append([{ record: 'settled' }]);
      remoteView.receiveSnapshot(result.newest);
      return { kind: 'lost' };
    case 'refused':
      await store.append([{ record: 'settled' }]);
      return { kind: 'refused', code: result.code, detail: result.detail };
  }
}
