// From the rows of a SELECT to the points that SELECT ... INTO writes, by influxd's rules: tags of GROUP BY become tags, columns
// become fields of the type that they have, what is null is left out, and a row without any field is no point.
import type { FieldValue, Point } from '../../../shared/influx/encode-point.js';
import { DocumentScanner, unpack, type Packed } from './msgpack-scan.js';

export interface PointShape {
  /** Undefined: the series' own name. */
  readonly measurement: string | undefined;
  /** Columns that are tags of the new point: those of top() and bottom(). */
  readonly tagColumns: ReadonlySet<string>;
}

/** One document of a chunked answer: its series' points, or why the statement failed. */
export type Chunk =
  | { readonly kind: 'points'; readonly points: readonly Point[] }
  | { readonly kind: 'failed'; readonly error: string };

/** Cuts a chunked MessagePack answer into documents and turns each into points. Throws RangeError where it is none. */
export async function* pointsOf(
  body: AsyncIterable<Buffer>,
  shape: PointShape,
): AsyncGenerator<Chunk> {
  const scanner = new DocumentScanner();
  let parts: Buffer[] = [];
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length;) {
      const end = scanner.end(chunk, at);
      parts.push(chunk.subarray(at, end < 0 ? chunk.length : end));
      if (end < 0) break;
      yield chunkOf(unpack(Buffer.concat(parts)), shape);
      parts = [];
      at = end;
    }
  }
  if (parts.length > 0) throw new RangeError('the answer breaks off');
}

function chunkOf(document: Packed, shape: PointShape): Chunk {
  const whole = mapOf(document);
  const refused = whole.get('error');
  if (typeof refused === 'string') return { kind: 'failed', error: refused };
  const points: Point[] = [];
  for (const result of listOf(whole.get('results'))) {
    const error = mapOf(result).get('error');
    if (typeof error === 'string') return { kind: 'failed', error };
    for (const series of listOf(mapOf(result).get('series')))
      addPoints(points, mapOf(series), shape);
  }
  return { kind: 'points', points };
}

function addPoints(points: Point[], series: ReadonlyMap<string, Packed>, shape: PointShape): void {
  const columns = listOf(series.get('columns')).map(String);
  const timeAt = columns.indexOf('time');
  if (timeAt < 0) throw new RangeError('a series without times');
  const name = series.get('name');
  const measurement = shape.measurement ?? (typeof name === 'string' ? name : '');
  const grouped = tagsOf(series.get('tags'));
  for (const row of listOf(series.get('values'))) {
    const cells = listOf(row);
    const timeNs = cells[timeAt];
    if (typeof timeNs !== 'bigint') throw new RangeError('a time that is no number');
    const tags = [...grouped];
    const fields = new Map<string, FieldValue>();
    for (const [index, column] of columns.entries()) {
      if (index === timeAt) continue;
      const cell = cells[index] ?? null;
      if (shape.tagColumns.has(column)) {
        if (typeof cell === 'string' && cell !== '') tags.push([column, cell]);
        continue;
      }
      const field = fieldOf(cell);
      if (field !== undefined) fields.set(column, field);
    }
    if (fields.size > 0) points.push({ measurement, tags: new Map(tags), fields, timeNs });
  }
}

/** influxd stores no empty tag. */
function tagsOf(packed: Packed | undefined): [string, string][] {
  if (packed === undefined || packed === null) return [];
  return [...mapOf(packed)].flatMap(([key, value]): [string, string][] =>
    typeof value === 'string' && value !== '' ? [[key, value]] : [],
  );
}

function fieldOf(cell: Packed): FieldValue | undefined {
  if (typeof cell === 'number') {
    return Number.isFinite(cell) ? { type: 'float', value: cell } : undefined;
  }
  if (typeof cell === 'bigint') return { type: 'integer', value: cell };
  if (typeof cell === 'string') return { type: 'string', value: cell };
  return typeof cell === 'boolean' ? { type: 'boolean', value: cell } : undefined;
}

function mapOf(packed: Packed): ReadonlyMap<string, Packed> {
  if (packed instanceof Map) return packed as ReadonlyMap<string, Packed>;
  throw new RangeError('an object was expected');
}

function listOf(packed: Packed | undefined): readonly Packed[] {
  if (packed === undefined || packed === null) return [];
  if (Array.isArray(packed)) return packed as readonly Packed[];
  throw new RangeError('a list was expected');
}
