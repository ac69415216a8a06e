// The segments of one owner's hint log: their names, what is in them, and finding all that again at start. It cuts the torn
// tail that a crash leaves; what else is damaged is left for the reader to pass over.
import { join } from 'node:path';
import type { HintFile, HintFiles } from './hint-files.js';
import type { Progress, SegmentFacts } from './progress.js';
import type { SegmentItem } from './segment-reader.js';
import { SegmentReader } from './segment-reader.js';

/** One file of the log. Numbers count what was appended; `left` what is not yet done. */
export interface Segment {
  readonly first: number;
  readonly path: string;
  /** The sequence behind its last. */
  end: number;
  /** Durable length. */
  bytes: number;
  records: number;
  points: number;
  oldestMs: number;
  readonly groups: Set<number>;
  readonly left: { records: number; points: number; bytes: number };
  /** Where reading begins: behind what was done when it was found. */
  readFrom: number;
  /** It takes no more records. */
  isSealed: boolean;
  /** Open for appending, on the newest alone. */
  file: HintFile | undefined;
}

/** Hints that were acknowledged and are not there. */
export interface LostSegment {
  readonly first: number;
  /** Undefined: whatever the owner had. */
  readonly groups: readonly number[] | undefined;
}

export interface FoundSegments {
  /** Oldest first; what is done already is not among them. */
  readonly segments: Segment[];
  readonly lost: readonly LostSegment[];
  /** Length of the interrupted write that was cut off. */
  readonly cutBytes: number;
  /** Files whose records are all done: a crash came before their removal. */
  readonly finished: readonly string[];
}

const NAME = /^(\d{16})\.hints$/;

export function newSegment(directory: string, first: number): Segment {
  return {
    first,
    path: join(directory, `${String(first).padStart(16, '0')}.hints`),
    end: first,
    bytes: 0,
    records: 0,
    points: 0,
    oldestMs: 0,
    groups: new Set(),
    left: { records: 0, points: 0, bytes: 0 },
    readFrom: 0,
    isSealed: false,
    file: undefined,
  };
}

/** Counts a record that is in the segment. */
export function countRecord(
  segment: Segment,
  record: { sequence: number; takenMs: number; points: number; group: number; length: number },
): void {
  if (segment.records === 0) segment.oldestMs = record.takenMs;
  segment.end = record.sequence + 1;
  segment.records += 1;
  segment.points += record.points;
  segment.groups.add(record.group);
  segment.left.records += 1;
  segment.left.points += record.points;
  segment.left.bytes += record.length;
}

export function factsOf(segment: Segment): SegmentFacts & { groups: number[] } {
  const { first, end, bytes, records, points, oldestMs } = segment;
  return { first, end, bytes, records, points, oldestMs, groups: [...segment.groups] };
}

/** Looks at what is in the directory. The first and the last segment are read, the others only where nothing is known of them. */
export async function findSegments(
  files: HintFiles,
  directory: string,
  progress: Progress,
): Promise<FoundSegments> {
  const names = (await files.list(directory)) ?? [];
  const firsts = names.flatMap((name) => {
    const [, digits] = NAME.exec(name) ?? [];
    return digits === undefined ? [] : [Number(digits)];
  });
  const segments: Segment[] = [];
  const finished: string[] = [];
  let cutBytes = 0;
  for (const [i, first] of firsts.entries()) {
    const segment = newSegment(directory, first);
    const isLast = i === firsts.length - 1;
    const facts = progress.sealed.get(first);
    if (facts !== undefined && facts.end <= progress.position) {
      finished.push(segment.path);
      continue;
    }
    const isKnown = facts !== undefined && facts.bytes === (await files.size(segment.path));
    if (isKnown && facts.first >= progress.position) fillFrom(segment, facts);
    else {
      cutBytes += await scan(files, segment, { isLast, position: progress.position });
      segment.end = Math.max(segment.end, facts?.end ?? 0);
    }
    segment.isSealed = !isLast || facts !== undefined;
    if (segment.end <= progress.position && !(isLast && !segment.isSealed)) {
      finished.push(segment.path);
    } else segments.push(segment);
  }
  const there = new Set(firsts);
  return { segments, lost: lostOf(progress, there), cutBytes, finished };
}

function fillFrom(segment: Segment, facts: SegmentFacts): void {
  const { end, bytes, records, points, oldestMs } = facts;
  Object.assign(segment, { end, bytes, records, points, oldestMs });
  Object.assign(segment.left, { records, points, bytes });
  for (const group of facts.groups) segment.groups.add(group);
}

function lostOf(progress: Progress, there: ReadonlySet<number>): LostSegment[] {
  const lost: LostSegment[] = [...progress.sealed.values()]
    .filter(({ first, end }) => end > progress.position && !there.has(first))
    .map(({ first, groups }) => ({ first, groups }));
  const { opened } = progress;
  if (opened === undefined || there.has(opened)) return lost;
  return [...lost, { first: opened, groups: undefined }];
}

/**
 * Reads a segment whole. In the last one everything from the first damage in the last group on was never acknowledged and
 * is cut off; so is what follows the last sound record. Resolves to how many bytes that was.
 */
async function scan(
  files: HintFiles,
  segment: Segment,
  { isLast, position }: { isLast: boolean; position: number },
): Promise<number> {
  const size = (await files.size(segment.path)) ?? 0;
  const file = await files.open(segment.path, false);
  try {
    const items = await light(new SegmentReader(file), size);
    const end = isLast ? soundEnd(items, segment.first) : size;
    for (const item of items) {
      if (item.offset >= end || item.kind === 'damage') continue;
      countRecord(segment, item);
      if (item.sequence >= position) continue;
      segment.readFrom = item.offset + item.length;
      segment.left.records -= 1;
      segment.left.points -= item.points;
      segment.left.bytes -= item.length;
    }
    segment.bytes = end;
    if (end < size) await file.truncate(end);
    // What a killed process wrote last can be read and yet not be durable; what is counted on from here must be.
    await file.sync();
    return size - end;
  } finally {
    await file.close();
  }
}

/** A record without its body: a whole segment of these is small. */
interface LightRecord {
  readonly kind: 'record';
  readonly offset: number;
  readonly length: number;
  readonly sequence: number;
  readonly groupStart: number;
  readonly takenMs: number;
  readonly points: number;
  readonly group: number;
}

type LightItem = LightRecord | Extract<SegmentItem, { kind: 'damage' }>;

async function light(reader: SegmentReader, size: number): Promise<LightItem[]> {
  const items: LightItem[] = [];
  for (;;) {
    const item = await reader.next(size);
    if (item === undefined) return items;
    if (item.kind === 'damage') items.push(item);
    else {
      const { kind, offset, length, record } = item;
      const { sequence, groupStart, takenMs, batch } = record;
      const { points, group } = batch;
      items.push({ kind, offset, length, sequence, groupStart, takenMs, points, group });
    }
  }
}

function soundEnd(items: readonly LightItem[], first: number): number {
  const records = items.filter((item) => item.kind === 'record');
  const last = records.at(-1);
  if (last === undefined) return 0;
  let expected = first;
  for (const item of items) {
    if (item.kind === 'record') expected = item.sequence + 1;
    else if (expected >= last.groupStart && item.offset < last.offset) return item.offset;
  }
  return last.offset + last.length;
}
