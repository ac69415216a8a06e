// What of the hints of one owner goes out in one request: adjacent small ones that are alike are joined. Pure.
import type { Batch } from '../owner/port.js';
import type { HintItem } from './log-item.js';

/** Large enough that the round trip does not count, small enough for influxd to take it at once and to be held in memory. */
export const CHUNK_BYTES = 1024 * 1024;

/** What influxd is told besides the lines, and what decides whether they count: it must be the same for all that are joined. */
export function canJoin(a: Batch, b: Batch): boolean {
  return (
    a.database === b.database &&
    a.policy === b.policy &&
    a.precision === b.precision &&
    a.group === b.group &&
    a.shard === b.shard &&
    a.databaseMark === b.databaseMark &&
    a.policyMark === b.policyMark &&
    a.deletes === b.deletes
  );
}

/** One batch of several, in their order; undefined of none. The versions are the newest of them. */
export function joined(items: readonly HintItem[]): Batch | undefined {
  const first = items[0];
  if (first === undefined) return undefined;
  const batches = items.map(({ batch }) => batch);
  const bodies = batches.flatMap(({ body }, i) => (i === 0 ? [body] : [NEWLINE, body]));
  return {
    ...first.batch,
    body: batches.length === 1 ? first.batch.body : Buffer.concat(bodies),
    points: batches.reduce((sum, { points }) => sum + points, 0),
    placementVersion: Math.max(...batches.map(({ placementVersion }) => placementVersion)),
    metadataVersion: Math.max(...batches.map(({ metadataVersion }) => metadataVersion)),
    isHint: true,
  };
}

const NEWLINE = Buffer.from('\n');
