// Reads the hints in a list of segments beside whoever delivers them: for people and for exports. What is damaged is left out.
import type { HintFiles } from './hint-files.js';
import type { HintItem } from './log-item.js';
import { SegmentReader } from './segment-reader.js';
import type { Segment } from './segments.js';

/** Oldest first, without those that are done; a segment that is removed meanwhile was delivered. */
export async function* scanHints(
  files: HintFiles,
  segments: readonly Segment[],
  isDone: (sequence: number) => boolean,
): AsyncGenerator<HintItem> {
  for (const segment of segments) {
    if (isDone(segment.end - 1) && segment.left.records <= 0) continue;
    if ((await files.size(segment.path)) === undefined) continue;
    const reader = new SegmentReader(await files.open(segment.path, false), segment.readFrom);
    try {
      for (;;) {
        const item = await reader.next(segment.bytes);
        if (item === undefined) break;
        if (item.kind === 'damage' || isDone(item.record.sequence)) continue;
        const { sequence, takenMs, batch } = item.record;
        yield { kind: 'hint', sequence, takenMs, batch, length: item.length };
      }
    } finally {
      await reader.close();
    }
  }
}
