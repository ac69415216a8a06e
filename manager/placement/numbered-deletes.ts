// Numbered deletes: each DELETE, DROP SERIES and DROP MEASUREMENT of a cluster gets the next number, in the same transaction
// that moves the placement; so the long poll of the placement tells of it. Kept as long as tombstones.
import { randomUUID } from 'node:crypto';
import type { NumberedDelete } from '../../shared/api/placement.js';
import { AppError } from '../../shared/errors/app-error.js';
import type { Clock } from '../../shared/lifecycle/clock.js';
import { TOMBSTONE_DAYS } from '../../shared/meta/marks.js';
import { keyOf } from '../../shared/meta/model.js';
import type { ClusterView } from '../metadata/cluster-views.js';
import { deleteEntries } from '../metadata/delete-entries.js';
import type { Entry, Store } from '../store/port.js';
import { rangeAll } from '../store/range-all.js';
import { decodeRecord, encodeRecord } from '../store/records.js';
import type { Editor } from './editor.js';
import { factsOf } from './policies.js';
import { deleteKeyRecord, deleteRecord, type DeleteRecord } from './records.js';

/** Statements are up to 100 kB; 4 MiB is the default limit of an answer of etcd. */
const PER_READ = 20;
/** So many are listed at once; who is further behind asks again. */
const MAX_LISTED = 1_000;

export interface NumberedDeletesDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly editor: Editor;
}

export interface DeleteRequest {
  readonly database: string;
  readonly statement: string;
  /** The same key again gets the same number. */
  readonly idempotencyKey: string | undefined;
}

export class NumberedDeletes {
  constructor(private readonly deps: NumberedDeletesDeps) {}

  /** Its number. Throws AppError `database-not-found` (404), `store-unavailable`, `outcome-unknown`. */
  async add(view: ClusterView, request: DeleteRequest, signal: AbortSignal): Promise<number> {
    const { store, editor, clock } = this.deps;
    const keys = view.keys.placement;
    const { database, statement, idempotencyKey: key = randomUUID() } = request;
    const databaseMark = await markOf(view, database);
    const at = new Date(clock.nowMs()).toISOString();
    let number = 0;
    await editor.edit(
      view,
      async (state) => {
        const known = await store.get(keys.deleteKeyOf(key), { signal });
        if (known !== undefined) {
          number = decodeRecord(known, deleteKeyRecord).number;
          return { kind: 'unchanged' };
        }
        number = state.deletes + 1;
        const record: DeleteRecord = { number, database, databaseMark, statement, at, key };
        return {
          kind: 'changed',
          state: { ...state, deletes: number },
          comparisons: [{ key: keys.deleteKeyOf(key), is: 'absent' }],
          operations: [
            { put: keys.deleteOf(number), value: encodeRecord(record) },
            { put: keys.deleteKeyOf(key), value: encodeRecord({ number }) },
          ],
        };
      },
      signal,
    );
    return number;
  }

  /** Those with higher numbers, ascending, at most a thousand. */
  async list(view: ClusterView, since: number, signal: AbortSignal): Promise<NumberedDelete[]> {
    const { store } = this.deps;
    const keys = view.keys.placement;
    const found: NumberedDelete[] = [];
    let after = keys.deleteOf(since);
    for (;;) {
      const page = await store.range(keys.deletes, { after, limit: PER_READ, signal });
      found.push(...page.entries.map(wireOf));
      const last = page.entries.at(-1);
      if (!page.hasMore || last === undefined || found.length >= MAX_LISTED) return found;
      after = last.key;
    }
  }

  /** Takes away what is older than any node may be away. */
  async sweep(view: ClusterView, signal: AbortSignal): Promise<number> {
    const { store, clock } = this.deps;
    const keys = view.keys.placement;
    const oldest = clock.nowMs() - TOMBSTONE_DAYS * 86_400_000;
    const { entries } = await rangeAll(store, keys.deletes, { pageSize: PER_READ, signal });
    const old = entries.filter(
      (entry) => Date.parse(decodeRecord(entry, deleteRecord).at) < oldest,
    );
    const named = new Set(
      old.map((entry) => keys.deleteKeyOf(decodeRecord(entry, deleteRecord).key)),
    );
    const { entries: byKey } = await rangeAll(store, keys.deleteKeys, { signal });
    await deleteEntries(store, [...old, ...byKey.filter(({ key }) => named.has(key))], signal);
    return old.length;
  }
}

async function markOf(view: ClusterView, database: string): Promise<number> {
  const facts = await factsOf(view);
  const key = keyOf({ kind: 'database', path: [database] });
  if (facts?.schema.has(key) === true) return facts.marks.marks.get(key) ?? 0;
  throw new AppError(
    'database-not-found',
    `the delete was not numbered: the cluster's metadata has no database ${JSON.stringify(database)}`,
    { status: 404 },
  );
}

function wireOf(entry: Entry): NumberedDelete {
  const { number, database, databaseMark, statement, at } = decodeRecord(entry, deleteRecord);
  return { number, database, 'database-mark': databaseMark, statement, at };
}
