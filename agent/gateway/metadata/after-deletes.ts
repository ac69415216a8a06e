// What is left of a batch after the deletes that were numbered since it was taken in: a hint of yesterday must not bring back
// what was deleted this morning.
import { afterDeletes } from '../../../shared/influx/influxql/after-deletes.js';
import type { DeleteMatcher } from '../../../shared/influx/influxql/delete-matcher.js';
import { deleteMatcher } from '../../../shared/influx/influxql/delete-matcher.js';
import type { NumberedDelete } from '../../manager-api/placement-api.js';
import type { Batch } from '../owner/port.js';
import type { Deletes } from './deletes.js';

/** Undefined: nothing is left. The batch's number is `upTo` afterwards. Throws where the statements can't be read. */
export type WithoutDeleted = (
  batch: Batch,
  upTo: number,
  signal: AbortSignal,
) => Promise<Batch | undefined>;

export function withoutDeletedBy(deletes: Pick<Deletes, 'since'>): WithoutDeleted {
  const matchers = new WeakMap<NumberedDelete, DeleteMatcher>();
  const matcherOf = (each: NumberedDelete) => {
    const known = matchers.get(each) ?? deleteMatcher(each.statement);
    matchers.set(each, known);
    return known;
  };
  return async (batch, upTo, signal) => {
    const later = await deletes.since(batch.deletes, signal);
    const meant = later.filter(({ number, database, databaseMark }) => {
      const isSame = database === batch.database && databaseMark === batch.databaseMark;
      return number <= upTo && isSame;
    });
    const { body, removed } = afterDeletes(batch.body, batch.precision, meant.map(matcherOf));
    if (body.length === 0) return undefined;
    return { ...batch, body, points: batch.points - removed, deletes: upTo };
  };
}
