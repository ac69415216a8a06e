// Takes out of a body of line protocol what deletes have matched since it was written: a hint that comes late must not bring
// back what was deleted.
import { pointView } from '../point-view.js';
import type { Precision } from '../precision.js';
import { LineScanner } from '../scan/line-scanner.js';
import { selectLines } from '../scan/select-lines.js';
import type { DeleteMatcher } from './delete-matcher.js';

export interface AfterDeletes {
  /** What is left; the same buffer where nothing was matched, empty where all was. */
  readonly body: Buffer;
  readonly removed: number;
}

/** `body`: lines with a time each, in that precision, as batches have them. Where points go, lines that do not parse go too. */
export function afterDeletes(
  body: Buffer,
  precision: Precision,
  deletes: readonly DeleteMatcher[],
): AfterDeletes {
  if (deletes.length === 0) return { body, removed: 0 };
  const lines = new LineScanner({ precision, defaultTimeNs: 0n }).scan(body);
  const kept: number[] = [];
  for (let line = 0; line < lines.points; line += 1) {
    const point = pointView(lines, line);
    if (!deletes.some((one) => one.matches(point))) kept.push(line);
  }
  const removed = lines.points - kept.length;
  return removed === 0 ? { body, removed } : { body: selectLines(lines, kept), removed };
}
