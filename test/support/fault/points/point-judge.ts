// Compares what writers know with the points that each owner's influxd has in the end. Pure: it is told what was read, and gives
// back every complaint.
import type { BatchPoint } from './batches.js';
import { pointsOf, seriesKey } from './batches.js';
import type { LedgerEntry } from './ledger.js';

/** By series (`seriesKey`), then by time in s: the fields as `fieldsText` writes them. */
export type StoredPoints = ReadonlyMap<string, ReadonlyMap<number, string>>;

export interface OwnerPoints {
  /** For messages. */
  readonly name: string;
  readonly points: StoredPoints;
}

/** Empty where all is as it must be. Every owner is asked to have everything. */
export function judgePoints(
  entries: readonly LedgerEntry[],
  owners: readonly OwnerPoints[],
): readonly string[] {
  const known = new Map(entries.map((entry) => [seriesKey(entry.batch), entry]));
  return [
    ...entries.flatMap((entry) => judgeBatch(entry, owners)),
    ...owners.flatMap(({ name, points }) =>
      [...points.keys()]
        .filter((series) => !known.has(series))
        .map((series) => `${name} has ${series}, which nobody sent`),
    ),
  ];
}

/** In one order, so that equal fields are equal texts. */
export function fieldsText(fields: BatchPoint['fields']): string {
  return Object.keys(fields)
    .sort()
    .map((name) => `${name}=${JSON.stringify(fields[name])}`)
    .join(',');
}

function judgeBatch(entry: LedgerEntry, owners: readonly OwnerPoints[]): string[] {
  const series = seriesKey(entry.batch);
  const sent = new Map(
    pointsOf(entry.batch).map(({ timeS, fields }) => [timeS, fieldsText(fields)]),
  );
  const found = owners.map(({ name, points }) => ({
    name,
    points: points.get(series) ?? NOTHING,
  }));
  const wrong = found.flatMap(({ name, points }) => [
    ...notSent(sent, points).map((text) => `${name} has ${series} ${text}`),
    ...(entry.fate === 'nowhere' && points.size > 0
      ? [`${name} has ${points.size} points of ${series}, which the gateway had declined`]
      : []),
  ]);
  return [...wrong, ...lacking(entry, sent.size, found)];
}

const NOTHING: ReadonlyMap<number, string> = new Map();

function notSent(
  sent: ReadonlyMap<number, string>,
  points: ReadonlyMap<number, string>,
): readonly string[] {
  const complaints: string[] = [];
  for (const [timeS, fields] of points) {
    const wanted = sent.get(timeS);
    if (wanted === undefined) complaints.push(`at ${timeS}, which nobody sent`);
    else if (wanted !== fields) complaints.push(`at ${timeS} with ${fields} instead of ${wanted}`);
  }
  return complaints;
}

/**
 * Of a batch that the gateway had in part, all owners get the same in the end. Where the gateway died on the way nobody owes anything.
 */
function lacking(
  { batch, fate }: LedgerEntry,
  size: number,
  found: readonly { readonly name: string; readonly points: ReadonlyMap<number, string> }[],
): string[] {
  if (fate === 'unknown') return [];
  const wanted =
    fate === 'acknowledged' ? size : Math.max(...found.map((each) => each.points.size));
  const why = fate === 'acknowledged' ? 'was acknowledged' : 'others have';
  return found
    .filter(({ points }) => points.size < wanted)
    .map(
      ({ name, points }) =>
        `${name} lacks ${wanted - points.size} of ${size} points of ${seriesKey(batch)}, which ${why}`,
    );
}
