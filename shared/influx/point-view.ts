// One line of a scanned body as people see the point: names and tags unescaped. For the few that have to look into points, such
// as a delete that is matched against a hint; what handles every point reads bytes.
import { goText } from './scan/go-text.js';
import { measurementEnd, tagEnd, tagKeyEnd, tagStarts } from './scan/tags.js';
import type { ScannedLines } from './scan/scanned-lines.js';
import { unescapeName, unescapeTag } from './scan/unescape.js';

export interface PointView {
  readonly measurement: string;
  /** '' where it has no such tag, as in InfluxQL. */
  tag(key: string): string;
  /** By key, as written. */
  readonly tags: ReadonlyMap<string, string>;
  readonly timeNs: bigint;
}

/** Bytes that are no UTF-8 are U+FFFD in it, each of them one, as influxd shows them. */
export function pointView(lines: ScannedLines, line: number): PointView {
  const { body } = lines;
  const start = lines.starts[line] as number;
  const end = lines.keyEnds[line] as number;
  const tags = new Map<string, string>();
  for (const tagStart of tagStarts(body, start, end)) {
    const stop = tagEnd(body, tagStart, end);
    const keyEnd = tagKeyEnd(body, tagStart, stop);
    const key = unescapeTag(goText(body.subarray(tagStart, keyEnd)));
    // Two spellings of one key: influxd takes the first that it finds.
    if (!tags.has(key)) tags.set(key, unescapeTag(goText(body.subarray(keyEnd + 1, stop))));
  }
  return {
    measurement: unescapeName(goText(body.subarray(start, measurementEnd(body, start, end)))),
    tag: (key) => tags.get(key) ?? '',
    tags,
    timeNs: lines.timeNs(line),
  };
}
